// Lets Node run the tests as they are written: types are taken off by Vite's own transformer, which is installed anyway.

import { register } from "node:module";

register(new URL("./strip.js", import.meta.url));
