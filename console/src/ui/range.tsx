// Which stretch of time a page looks at.

import { moment } from "../lib/format.ts";
import type { Place } from "../lib/place.ts";
import { type Range, RANGES } from "../lib/range.ts";
import { Button, Choice } from "./basics.tsx";

export function RangePicker({ place, range }: { place: Place; range: Range }) {
  return (
    <div class="range">
      {range.name === "custom" && (
        <span class="custom">
          {moment(range.since, "minute")} – {moment(range.until, "minute")}
          <Button icon="close" kind="quiet" small label="Back to the range before" onClick={() => place.filter({ since: "", until: "" })} />
        </span>
      )}
      <Choice label="Range" chosen={range.name} options={RANGES.map(([name, title]) => [name, name, `Last ${title}`] as const)}
        choose={(name) => place.filter({ range: name, since: "", until: "" })} />
    </div>
  );
}
