// Numbers, money and times in the words of the console; every one of them keeps its width from row to row.

const NONE = "–";

/** Dollars: cents from a dollar on, as many digits as tell something below it. */
export function money(usd: number | null | undefined): string {
  if (usd === null || usd === undefined) return NONE;
  const size = Math.abs(usd);
  if (size === 0) return "$0";
  const digits = size >= 1000 ? 0 : size >= 1 ? 2 : size >= 0.01 ? 3 : size >= 0.0001 ? 5 : 7;
  const text = size.toLocaleString("en-US", { minimumFractionDigits: Math.min(2, digits), maximumFractionDigits: digits });
  return `${usd < 0 ? "-" : ""}$${text}`;
}

/** Dollars to the billionth, as they are counted. */
export function moneyExact(usd: number | null | undefined): string {
  if (usd === null || usd === undefined) return "unknown price";
  return `$${usd.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 9 })}`;
}

const STEPS: [number, string][] = [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]];

/** A count in three digits and a letter: 1,234 is 1.23k. */
export function count(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  for (const [step, letter] of STEPS) {
    // 999,950 is a million, not "1000k"
    if (Math.abs(value) >= step * 0.9995) {
      const scaled = value / step;
      return scaled.toFixed(Math.abs(scaled) >= 99.95 ? 0 : Math.abs(scaled) >= 9.995 ? 1 : 2) + letter;
    }
  }
  return Number.isInteger(value) ? String(value) : value.toFixed(1);
}

export function whole(value: number | null | undefined): string {
  return value === null || value === undefined ? NONE : value.toLocaleString("en-US");
}

export function share(part: number | null | undefined, digits = 1): string {
  if (part === null || part === undefined || Number.isNaN(part)) return NONE;
  const percent = part * 100;
  if (percent > 0 && percent < 0.1) return "<0.1 %";
  return `${percent.toFixed(percent >= 99.95 || percent === 0 ? 0 : digits)} %`;
}

/** Milliseconds in the unit that reads best: 0.042 ms, 812 ms, 1.4 s, 2 min. */
export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || ms < 0) return NONE;
  if (ms >= 59_950) {
    const total = Math.round(ms / 1000);
    return `${Math.floor(total / 60)} min${total % 60 ? ` ${total % 60} s` : ""}`;
  }
  if (ms >= 999.5) return `${(ms / 1000).toFixed(ms >= 9995 ? 1 : 2)} s`;
  return `${ms >= 99.5 ? ms.toFixed(0) : ms >= 9.95 ? ms.toFixed(1) : ms >= 1 || ms === 0 ? ms.toFixed(ms === 0 ? 0 : 2) : ms.toFixed(3)} ms`;
}

export function bytes(value: number): string {
  for (const [step, unit] of [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]] as const) {
    if (value >= step) return `${(value / step).toFixed(value >= step * 10 ? 0 : 1)} ${unit}`;
  }
  return `${value} B`;
}

export function amount(value: number, unit: "usd" | "tokens" | "requests"): string {
  return unit === "usd" ? money(value) : `${count(value)} ${unit}`;
}

const SPANS: [number, string][] = [[86_400 * 365, "y"], [86_400 * 30, "mo"], [86_400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

/** How far off a time is: "3 min ago", "in 2 d". */
export function relative(at: string | null | undefined, now = Date.now()): string {
  if (!at) return "never";
  const seconds = (now - Date.parse(at)) / 1000;
  const size = Math.abs(seconds);
  if (size < 5) return "now";
  for (const [span, unit] of SPANS) {
    if (size >= span) {
      const text = `${Math.floor(size / span)} ${unit}`;
      return seconds > 0 ? `${text} ago` : `in ${text}`;
    }
  }
  return "now";
}

const pad = (value: number, width = 2) => String(value).padStart(width, "0");

/** A moment in the person's own zone: "Nov 27, 05:12:09.412". */
export function moment(at: string | null | undefined, parts: "time" | "minute" | "day" | "all" = "all"): string {
  if (!at) return NONE;
  const date = new Date(at);
  const day = date.toLocaleDateString("en-US", { month: "short", day: "numeric" });
  const minute = `${pad(date.getHours())}:${pad(date.getMinutes())}`;
  if (parts === "day") return date.getFullYear() === new Date().getFullYear() ? day : `${day}, ${date.getFullYear()}`;
  if (parts === "minute") return `${day}, ${minute}`;
  const time = `${minute}:${pad(date.getSeconds())}`;
  return parts === "time" ? time : `${day}, ${time}.${pad(date.getMilliseconds(), 3)}`;
}

export function plural(value: number, one: string, many = `${one}s`): string {
  return `${whole(value)} ${value === 1 ? one : many}`;
}

export const WINDOWS: [string, string][] = [
  ["total", "in total"], ["day", "a day"], ["week", "a week"], ["month", "a month"], ["7d", "every 7 days"], ["30d", "every 30 days"],
];

export function windowName(window: string): string {
  const days = /^(\d+)d$/.exec(window);
  return WINDOWS.find(([name]) => name === window)?.[1] ?? (days ? `every ${days[1]} days` : window);
}
