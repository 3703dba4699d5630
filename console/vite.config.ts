// Builds the console into the Python package, with compressed twins; in development, answers the API from memory.

import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { defineConfig, type Plugin } from "vite";
import { mockApi } from "./mock/server.ts";

const OUT = "../fastgw/console/dist";

const SHIPPED = ["preact", "preact-iso", "@preact/signals", "@preact/signals-core", "uplot", "@fontsource-variable/inter"];

/** The licences of what is shipped, in one file beside it. */
function licences(): Plugin {
  return {
    name: "licences",
    apply: "build",
    generateBundle() {
      const texts = SHIPPED.map((name) => {
        const folder = join(import.meta.dirname, "node_modules", name);
        const file = readdirSync(folder).find((one) => /^licen[cs]e/i.test(one));
        if (!file) throw new Error(`expected a licence in ${folder}`);
        return `${name}\n\n${readFileSync(join(folder, file), "utf-8").trim()}\n`;
      });
      this.emitFile({ type: "asset", fileName: "licences.txt", source: texts.join("\n\n") });
    },
  };
}

/** A .br and a .gz beside each file that gets smaller by it. */
function twins(): Plugin {
  return {
    name: "twins",
    apply: "build",
    closeBundle() {
      const folder = join(import.meta.dirname, OUT);
      for (const name of readdirSync(folder, { recursive: true, encoding: "utf-8" })) {
        const path = join(folder, name);
        if (!statSync(path).isFile() || !/\.(js|css|html|svg|json)$/.test(name)) continue;
        const content = readFileSync(path);
        const brotli = brotliCompressSync(content, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length } });
        const gzip = gzipSync(content, { level: 9 });
        if (brotli.length < content.length) writeFileSync(`${path}.br`, brotli);
        if (gzip.length < content.length) writeFileSync(`${path}.gz`, gzip);
      }
    },
  };
}

export default defineConfig(({ command }) => ({
  base: "/console/",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  plugins: [licences(), twins(), ...(command === "serve" ? [mockApi()] : [])],
  build: {
    outDir: OUT,
    emptyOutDir: true,
    target: "es2023",
    // browsers of 2024 on: what they know natively is not written in an older way
    cssTarget: ["chrome125", "firefox125", "safari17.5"],
    // nothing may stand in the page itself: the policy allows neither inline scripts nor data: but for pictures
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: { port: 5199, host: "127.0.0.1" },
  preview: { port: 5199, host: "127.0.0.1" },
}));
