// Charts over time, drawn by uPlot; the reading under the pointer stands in the legend, so that nothing covers the lines.

import { useEffect, useRef, useState } from "preact/hooks";
import type uPlot from "uplot";
import { colour, isDark } from "../lib/theme.ts";

export type Series = { label: string; values: readonly (number | null)[]; colour: string; fill?: boolean; dashed?: boolean };
type Drawn = typeof uPlot;

let loading: Promise<Drawn> | undefined;
const load = () => (loading ??= import("uplot").then((file) => file.default));

function axisTime(step_s: number): (plot: uPlot, ticks: number[]) => string[] {
  const day = new Intl.DateTimeFormat("en-US", { month: "short", day: "numeric" });
  const hour = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
  return (_plot, ticks) => {
    const apart = ticks.length > 1 ? ticks[1]! - ticks[0]! : step_s;
    return ticks.map((tick) => (apart >= 86_400 ? day : hour).format(tick * 1000));
  };
}

/** "2k" for 2.00k, "7.5 s" for 7.50 s; cents stay whole. */
const shortened = (text: string) => text.replace(text.startsWith("$") ? /\.0+(?=\D|$)/ : /\.?0+(?=\D|$)(?<=\..*)/, "");

/** The other charts follow the pointer; what is drawn up is zoomed into once, by the chart that it was drawn in. */
const follows = (event: string) => event === "mousemove" || event === "mouseleave";

/** Values without one beside them, which no line shows. */
const alone = (plot: uPlot, series: number): number[] => {
  const values = plot.data[series] ?? [];
  return [...values.keys()].filter((at) => (values[at] ?? null) !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null);
};

export function Chart({ title, times, series, format, step_s, height = 168, pick, total, sync = "charts" }: {
  title: string; times: readonly number[]; series: readonly Series[]; format: (value: number | null) => string; step_s: number;
  height?: number; pick?: (since: number, until: number) => void; total?: string; sync?: string;
}) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [at, setAt] = useState<number | null>(null);
  const [isReady, setReady] = useState(false);
  const picked = useRef(pick);
  picked.current = pick;
  const written = useRef(format);
  written.current = format;
  const dark = isDark();
  const shape = series.map((one) => one.label + one.colour).join();

  useEffect(() => {
    let gone = false;
    let watch: ResizeObserver | undefined;
    void load().then((Plot) => {
      if (gone || !box.current) return;
      const [grid, faint] = [colour("--line"), colour("--faint")];
      const font = `11px ${getComputedStyle(document.body).fontFamily}`;
      const axis = { stroke: faint, font, grid: { stroke: grid, width: 1 }, ticks: { show: false } };
      const made = new Plot(
        {
          width: box.current.clientWidth || 300, height, padding: [8, 14, 0, 0], legend: { show: false },
          cursor: {
            sync: { key: sync, filters: { pub: follows, sub: follows } }, y: false, points: { size: 7, width: 2 }, focus: { prox: -1 },
            drag: { x: Boolean(picked.current), y: false, setScale: false },
          },
          scales: { y: { range: (_plot, low, high) => [Math.min(0, low ?? 0), !high || high <= 0 ? 1 : high * 1.08] } },
          axes: [
            { ...axis, grid: { show: false }, space: 64, size: 26, values: axisTime(step_s) },
            { ...axis, size: 52, space: 28, values: (_plot, ticks) => ticks.map((tick) => shortened(written.current(tick))) },
          ],
          series: [
            {},
            ...series.map((one) => {
              const line = colour(one.colour);
              return {
                label: one.label, stroke: line, width: 1.5, spanGaps: false, points: { show: true, size: 4, width: 1, fill: line, filter: alone },
                ...(one.fill ? { fill: line.replace(/^(rgb|oklch|color)a?\((.*?)\)$/, (_all, kind: string, parts: string) => faded(kind, parts)) } : {}),
                ...(one.dashed ? { dash: [4, 4] } : {}),
              };
            }),
          ],
          hooks: {
            setCursor: [(drawn) => setAt(drawn.cursor.idx ?? null)],
            setSelect: [
              (drawn) => {
                if (drawn.select.width < 6) return;
                const [from, until] = [drawn.posToVal(drawn.select.left, "x"), drawn.posToVal(drawn.select.left + drawn.select.width, "x")];
                drawn.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
                picked.current?.(from, until);
              },
            ],
          },
        },
        [times as number[], ...series.map((one) => one.values as number[])],
        box.current,
      );
      plot.current = made;
      setReady(true);
      watch = new ResizeObserver(([entry]) => entry && made.setSize({ width: entry.contentRect.width, height }));
      watch.observe(box.current);
    });
    return () => {
      gone = true;
      watch?.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [dark, shape, height, step_s, sync]);

  useEffect(() => plot.current?.setData([times as number[], ...series.map((one) => one.values as number[])]), [times, series, isReady]);

  const last = (values: readonly (number | null)[]) => values.findLast((value) => value !== null) ?? null;
  const words = series.map((one) => `${one.label}: latest ${format(last(one.values))}, highest ${format(highest(one.values))}`).join("; ");
  return (
    <figure class="chart">
      <figcaption>
        <span class="title">{title}</span>
        <span class="readings" aria-hidden="true">
          {at !== null && times[at] !== undefined
            ? (
              <>
                <time>{reading(times[at], step_s)}</time>
                {series.map((one) => (
                  <span key={one.label}><i style={{ background: `var(${one.colour})` }} />{series.length > 1 && `${one.label} `}
                    <b>{format(one.values[at] ?? null)}</b></span>
                ))}
              </>
            )
            : series.length > 1
              ? series.map((one) => <span key={one.label}><i style={{ background: `var(${one.colour})` }} />{one.label}</span>)
              : total && <span>{total}</span>}
        </span>
      </figcaption>
      <div ref={box} class="plot" style={{ height: `${height}px` }} role="img" aria-label={`${title} over time. ${words}`} />
    </figure>
  );
}

const faded = (kind: string, parts: string) => (kind === "rgb" ? `rgba(${parts}, 0.12)` : `${kind}(${parts.split("/")[0]} / 0.12)`);
const highest = (values: readonly (number | null)[]) => values.reduce<number | null>((most, value) => (value !== null && (most === null || value > most) ? value : most), null);

function reading(time: number, step_s: number): string {
  const date = new Date(time * 1000);
  const day = date.toLocaleDateString("en-US", { month: "short", day: "numeric" });
  return step_s >= 86_400 ? day : `${day}, ${date.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })}`;
}
