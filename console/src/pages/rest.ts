// The pages that are not needed to see what goes through; one file, fetched once the first page is there.

export { Alerts } from "./alerts.tsx";
export { Audit } from "./audit.tsx";
export { Configs } from "./configs.tsx";
export { Integrations } from "./integrations.tsx";
export { Keys } from "./keys.tsx";
export { Logs } from "./logs.tsx";
export { Models } from "./models.tsx";
export { Playground } from "./playground.tsx";
export { Settings } from "./settings.tsx";
export { Tokens } from "./tokens.tsx";
export { Users } from "./users.tsx";
export { Workspaces } from "./workspaces.tsx";
