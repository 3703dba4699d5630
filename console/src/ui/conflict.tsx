// Two people changed the same thing: both versions side by side, and either may be taken.

import { equal } from "../lib/json.ts";
import type { Json, JsonObject } from "../lib/types.ts";
import { Button } from "./basics.tsx";
import { Dialog } from "./dialog.tsx";

const SILENT = new Set(["version", "updated_at", "created_at", "spend", "last_used_at"]);
export const shown = (value: Json | undefined) =>
  value === undefined || value === null || value === "" ? "not set" : typeof value === "string" ? value : JSON.stringify(value, null, 1).replace(/\n\s*/g, " ");

/** Members by what they were and what they are now. */
export function Differences({ rows, heads }: { rows: [string, (Json | undefined)[]][]; heads: string[] }) {
  return (
    <div class="table differences">
      <table>
        <thead><tr><th scope="col">Member</th>{heads.map((head) => <th key={head} scope="col">{head}</th>)}</tr></thead>
        <tbody>
          {rows.map(([name, values]) => (
            <tr key={name}>
              <th scope="row"><code>{name}</code></th>
              {values.map((value, index) => <td key={index} data-head={heads[index]} class={index ? "after" : "before"}><code>{shown(value)}</code></td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

export function Conflict({ what, before, theirs, mine, close, takeTheirs, takeMine, busy }: {
  what: string; before: JsonObject; theirs: JsonObject; mine: JsonObject; close: () => void; takeTheirs: () => void; takeMine: () => void; busy: boolean;
}) {
  const names = [...new Set([...Object.keys(theirs), ...Object.keys(mine)])]
    .filter((name) => !SILENT.has(name) && (!equal(theirs[name] ?? null, before[name] ?? null) || !equal(mine[name] ?? null, before[name] ?? null)));
  return (
    <Dialog title={`The ${what} was changed by someone else`} close={close} wide>
      <div class="text">
        <p>While you were at it, another change was saved. These members differ from what you began with.</p>
      </div>
      <Differences heads={["Before", "Saved meanwhile", "With yours on top"]} rows={names.map((name) => [name, [before[name], theirs[name], mine[name]]])} />
      <footer>
        <Button onClick={close}>Keep editing</Button>
        <Button onClick={takeTheirs}>Take what was saved</Button>
        <Button kind="primary" busy={busy} onClick={takeMine}>Save mine on top</Button>
      </footer>
    </Dialog>
  );
}
