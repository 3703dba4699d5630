// Server-sent events out of a stream of text, as the gateway's chat streams them (WHATWG HTML, 9.2).

export class EventReader {
  #rest = "";

  /** The data of each event that is whole by now. */
  feed(text: string): string[] {
    this.#rest += text;
    const events: string[] = [];
    for (;;) {
      const end = /\r?\n\r?\n/.exec(this.#rest);
      if (!end) return events;
      const event = this.#rest.slice(0, end.index);
      this.#rest = this.#rest.slice(end.index + end[0].length);
      const lines = event.split(/\r?\n/).filter((line) => line.startsWith("data:"));
      if (lines.length) events.push(lines.map((line) => line.slice(5).replace(/^ /, "")).join("\n"));
    }
  }
}
