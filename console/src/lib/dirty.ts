// Whether a form holds changes that were not saved; leaving asks first.

import { signal } from "@preact/signals";

export const isDirty = signal(false);

addEventListener("beforeunload", (event) => {
  if (isDirty.value) event.preventDefault();
});
