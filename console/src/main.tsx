// Entry point: what is read first decides what is drawn first.

import { render } from "preact";
import { App } from "./app.tsx";

render(<App />, document.getElementById("app")!);
