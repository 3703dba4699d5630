// A secret that is shown once, with what it is good for.

import { useState } from "preact/hooks";
import { Button, Copy, Snippet, Tabs } from "./basics.tsx";
import { Dialog } from "./dialog.tsx";

type Way = "curl" | "python" | "node" | "anthropic";
const WAYS: readonly (readonly [Way, string])[] = [["curl", "curl"], ["python", "Python"], ["node", "Node"], ["anthropic", "Anthropic"]];

/** How a client is pointed at this gateway, for each way that people call it. */
export function snippetFor(way: Way, key: string, model: string, origin: string): string {
  switch (way) {
    case "curl":
      return `curl ${origin}/v1/chat/completions \\\n  -H "Authorization: Bearer ${key}" \\\n  -H "Content-Type: application/json" \\\n`
        + `  -d '{"model": "${model}", "messages": [{"role": "user", "content": "Hello"}]}'`;
    case "python":
      return `from openai import OpenAI\n\nclient = OpenAI(base_url="${origin}/v1", api_key="${key}")\nreply = client.chat.completions.create(\n`
        + `    model="${model}",\n    messages=[{"role": "user", "content": "Hello"}],\n)\nprint(reply.choices[0].message.content)`;
    case "node":
      return `import OpenAI from "openai";\n\nconst client = new OpenAI({ baseURL: "${origin}/v1", apiKey: "${key}" });\n`
        + `const reply = await client.chat.completions.create({\n  model: "${model}",\n  messages: [{ role: "user", content: "Hello" }],\n});\n`
        + "console.log(reply.choices[0].message.content);";
    case "anthropic":
      return `from anthropic import Anthropic\n\nclient = Anthropic(base_url="${origin}", api_key="${key}")\nreply = client.messages.create(\n`
        + `    model="${model}",\n    max_tokens=1000,\n    messages=[{"role": "user", "content": "Hello"}],\n)\nprint(reply.content[0].text)`;
  }
}

export function Usage({ secret, model }: { secret: string; model: string }) {
  const [way, choose] = useState<Way>("curl");
  return (
    <div class="usage">
      <Tabs tabs={WAYS} chosen={way} choose={choose} label="Client" />
      <Snippet text={snippetFor(way, secret, model, location.origin)} label={`the ${way} snippet`} />
    </div>
  );
}

export function SecretOnce({ title, secret, note, model, close }: {
  title: string; secret: string; note: string; model?: string | undefined; close: () => void;
}) {
  return (
    <Dialog title={title} close={close} wide>
      <div class="text">
        <p>{note}</p>
        <div class="secret">
          <code tabIndex={0} aria-label="The secret">{secret}</code>
          <Copy text={secret} label="Copy the secret" small={false}>Copy</Copy>
        </div>
        {model !== undefined && <Usage secret={secret} model={model} />}
      </div>
      <footer><Button kind="primary" onClick={close}>Done</Button></footer>
    </Dialog>
  );
}
