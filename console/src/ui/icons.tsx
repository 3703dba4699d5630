// Line drawings on a grid of 16, one path each.

const PATHS = {
  overview: "M2.5 13.5h11M4 11V7.5M8 11V3.5M12 11V6",
  logs: "M3 4h10M3 8h10M3 12h6",
  play: "M3 4.5A1.5 1.5 0 0 1 4.5 3h7A1.5 1.5 0 0 1 13 4.5v4a1.5 1.5 0 0 1-1.5 1.5H7l-3 3v-3A1 1 0 0 1 3 9z",
  run: "M5 3.5v9l7-4.5z",
  key: "M9.2 6.8a3 3 0 1 0-2.4 2.4L8 8l1.2 0 0-1.2zM9 7l4.5 4.5V13.5H11.5V12H10V10.5",
  workspace: "M2.5 5.5 8 2.5l5.5 3L8 8.5zM2.5 8.2 8 11l5.5-2.8M2.5 10.8 8 13.5l5.5-2.7",
  plug: "M5.5 2.5v3M10.5 2.5v3M4 5.5h8v2a4 4 0 0 1-8 0zM8 11.5v2.5",
  model: "M8 2 13.2 5v6L8 14 2.8 11V5zM8 8l5.2-3M8 8v6M8 8 2.8 5",
  config: "M6 3.5C4.5 3.5 5.5 7 3.5 8 5.5 9 4.5 12.5 6 12.5M10 3.5c1.5 0 .5 3.5 2.5 4.5-2 1-1 4.5-2.5 4.5",
  users: "M6 7.5a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6zM1.8 13c.3-2.4 2-3.7 4.2-3.7s3.9 1.3 4.2 3.7M10.5 7.3a2 2 0 1 0 0-4M12 9.6c1.3.5 2 1.6 2.2 3.2",
  token: "M4 2.5h5.5L12.5 5.5v8h-8.5zM9.5 2.5v3h3M6 8.5h4M6 11h2.5",
  bell: "M4 11V7a4 4 0 0 1 8 0v4l1 1H3zM6.7 13.7h2.6",
  audit: "M8 2 13 4v4c0 3-2.2 5.2-5 6-2.8-.8-5-3-5-6V4zM6 8l1.5 1.5L10.2 6.5",
  gear: "M8 10.2a2.2 2.2 0 1 0 0-4.4 2.2 2.2 0 0 0 0 4.4zM8 1.8v2M8 12.2v2M1.8 8h2M12.2 8h2M3.6 3.6 5 5M11 11l1.4 1.4M12.4 3.6 11 5M5 11l-1.4 1.4",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.3 10.3 13.5 13.5",
  plus: "M8 3.5v9M3.5 8h9",
  close: "M4 4l8 8M12 4l-8 8",
  check: "M3.5 8.5 6.5 11.5 12.5 4.5",
  copy: "M5.5 5.5h7.5v7.5h-7.5zM3 10.5V3h7.5",
  down: "M4 6l4 4 4-4",
  right: "M6 4l4 4-4 4",
  left: "M10 4 6 8l4 4",
  up: "M4 10l4-4 4 4",
  filter: "M2.5 4h11M4.5 8h7M6.5 12h3",
  refresh: "M13 8a5 5 0 1 1-1.5-3.5L13 6M13 2.8V6H9.8",
  download: "M8 2.5v7.5M4.8 7 8 10.2 11.2 7M3 13.5h10",
  sun: "M8 10.7a2.7 2.7 0 1 0 0-5.4 2.7 2.7 0 0 0 0 5.4zM8 1.5v1.3M8 13.2v1.3M1.5 8h1.3M13.2 8h1.3M3.4 3.4l.9.9M11.7 11.7l.9.9M12.6 3.4l-.9.9M4.3 11.7l-.9.9",
  moon: "M13 9.5A5.5 5.5 0 0 1 6.5 3 5.5 5.5 0 1 0 13 9.5z",
  screen: "M2.5 3.5h11v7.5h-11zM6 13.5h4",
  trash: "M3 4.5h10M6.5 4.5V3h3v1.5M4.5 4.5l.5 9h6l.5-9",
  rotate: "M3 8a5 5 0 0 1 8.5-3.5L13 6M13 2.8V6H9.8M13 8a5 5 0 0 1-8.5 3.5L3 10M3 13.2V10h3.2",
  pause: "M6 4v8M10 4v8",
  stop: "M4.5 4.5h7v7h-7z",
  send: "M8 13V3.5M4 7.5l4-4 4 4",
  menu: "M2.5 5h11M2.5 11h11",
  out: "M6.5 3H3v10h3.5M10 5l3 3-3 3M13 8H6.5",
  link: "M9.5 3H13v3.5M13 3 7.5 8.5M11.5 9.5V13H3V4.5h3.5",
  warning: "M8 2.5 14 13H2zM8 6.5V9.5M8 11.3v.2",
  bolt: "M9 2 4 9h3.5L7 14l5-7H8.5z",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  clock: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 5v3.2l2 1.3",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 16 }: { name: IconName; size?: number }) {
  return (
    <svg class="icon" viewBox="0 0 16 16" width={size} height={size} aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
