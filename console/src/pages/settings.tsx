// The gateway's state, the organisation, and the person's own password.

import { useRef, useState } from "preact/hooks";
import { ApiError, call, me } from "../lib/api.ts";
import { bytes, count, duration, moment, plural, relative, whole } from "../lib/format.ts";
import { may } from "../lib/may.ts";
import { usePlace } from "../lib/place.ts";
import { useQuery } from "../lib/query.ts";
import type { Organisation, Status } from "../lib/types.ts";
import { Badge, Button, Facts, Failure, Section, Skeleton, Tabs, toast, type Tone } from "../ui/basics.tsx";
import { SpendBlock } from "../ui/bars.tsx";
import { Form, TextField } from "../ui/form.tsx";
import { LimitFields } from "../ui/limits.tsx";
import { ThemeChoice, signOut } from "../ui/navigation.tsx";
import { Page } from "../ui/page.tsx";
import { Table } from "../ui/table.tsx";

type Tab = "status" | "organisation" | "profile";

export function Settings() {
  const place = usePlace();
  const mayOrganisation = may("organisation_settings.read", "organisation_settings.update");
  const tabs: [Tab, string][] = [...(may("status.view") ? [["status", "Status"] as [Tab, string]] : []), ...(mayOrganisation ? [["organisation", "Organisation"] as [Tab, string]] : []), ["profile", "You"]];
  const tab = tabs.find(([name]) => name === place.query.tab)?.[0] ?? tabs[0]![0];
  return (
    <Page title="Settings">
      <Tabs label="Settings" tabs={tabs} chosen={tab} choose={(name) => place.filter({ tab: name })} />
      <div class="settings">
        {tab === "status" && <StatusPart />}
        {tab === "organisation" && <OrganisationPart />}
        {tab === "profile" && <ProfilePart />}
      </div>
    </Page>
  );
}

function Health({ name, error, children, warn }: { name: string; error: string | null | undefined; children: string; warn?: boolean }) {
  const tone: Tone = error ? "bad" : warn ? "warn" : "good";
  return (
    <li class="health">
      <Badge tone={tone} dot>{error ? "failing" : warn ? "look" : "fine"}</Badge>
      <b>{name}</b>
      <span class={error ? "bad" : "faint"}>{error ?? children}</span>
    </li>
  );
}

function StatusPart() {
  const { data, error, reload } = useQuery<Status>("/status", 5000);
  if (!data) return error ? <Failure error={error} what="the status" retry={reload} /> : <Skeleton />;
  const { store, publish, records, workers, alerts } = data;
  return (
    <>
      {error && <Failure error={error} what="the latest status" retry={reload} />}
      <ul class="healths">
        <Health name="Store" error={store.ok ? null : (store.error ?? "it does not answer")}>{store.kind}</Health>
        <Health name="Published" error={publish.error}>{`revision ${publish.revision}, ${relative(publish.published_at)}`}</Health>
        <Health name="Records" error={records.error} warn={records.lost > 0}>{`${bytes(records.log_bytes)} kept, ${records.lost ? `${whole(records.lost)} lost` : "none lost"}`}</Health>
        <Health name="Alerts" error={null} warn={alerts.pending > 50}>{alerts.pending ? `${plural(alerts.pending, "alert")} to send` : "all sent"}</Health>
      </ul>
      <Section isTop title={`Workers (${workers.length})`}>
        <Table rows={workers.map((worker) => ({ ...worker, id: String(worker.index) }))} label="Workers" dense columns={[
          { head: "Worker", fold: "head", cell: (worker) => worker.index }, { head: "Process", numeric: true, cell: (worker) => worker.pid },
          { head: "In flight", numeric: true, cell: (worker) => count(worker.in_flight) }, { head: "Connections", numeric: true, cell: (worker) => count(worker.connections) },
          { head: "Configuration", numeric: true, cell: (worker) => worker.snapshot_version },
          { head: "Trouble", quiet: true, cell: (worker) => Boolean(worker.snapshot_refused) && <Badge tone="bad" dot>refused {typeof worker.snapshot_refused === "string" ? worker.snapshot_refused : "the latest"}</Badge> },
        ]} />
      </Section>
      <Facts rows={[["Version", data.version], ["Running for", duration(data.uptime_s * 1000) && upFor(data.uptime_s)], ["API", <a href="/api/v1/openapi.json" target="_blank" rel="noreferrer">its description (OpenAPI 3.1)</a>]]} />
    </>
  );
}

function upFor(seconds: number): string {
  const [days, hours, minutes] = [Math.floor(seconds / 86_400), Math.floor((seconds % 86_400) / 3600), Math.floor((seconds % 3600) / 60)];
  return days ? `${plural(days, "day")}, ${hours} h` : hours ? `${hours} h ${minutes} min` : `${minutes} min`;
}

function OrganisationPart() {
  const { data, error, reload } = useQuery<Organisation>("/organisation");
  if (!data) return error ? <Failure error={error} what="the organisation" retry={reload} /> : <Skeleton />;
  return (
    <>
      <SpendBlock of={data} />
      <Form object={data} path="/organisation" what="organisation" disabled={!may("organisation_settings.update")}
        done={(saved) => me.value && (me.value = { ...me.value, organisation: saved as unknown as Organisation })}>
        <TextField at="name" label="Name" required />
        <Section isTop title="Limits of everything together"><LimitFields /></Section>
      </Form>
    </>
  );
}

function ProfilePart() {
  const { user, workspaces } = me.value!;
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const save = async (event: Event) => {
    event.preventDefault();
    const given = new FormData(form.current!);
    setBusy(true);
    setError(null);
    try {
      await call("POST", `/users/${user.id}/password`, { current: given.get("current") ?? "", password: given.get("password") });
      form.current?.reset();
      toast("Your password was changed");
    } catch (failure) {
      setError(failure as ApiError);
    }
    setBusy(false);
  };
  return (
    <>
      <Facts rows={[user.name && ["Name", user.name], ["Email", user.email], ["Role", me.value!.role], ["Workspaces", workspaces.map((one) => `${one.slug} (${one.role})`).join(", ") || "none"],
        user.last_login_at && ["Last sign-in", moment(user.last_login_at, "minute")]]} />
      <Section isTop title="Theme"><div><ThemeChoice /></div></Section>
      <Section isTop title="Password">
        <form class="form narrow" ref={form} onSubmit={save}>
          <input type="email" name="username" autocomplete="username" value={user.email} hidden readOnly />
          {user.has_password !== false && <label class="field"><span class="label">Current password</span><input type="password" name="current" autocomplete="current-password" required /></label>}
          <label class="field"><span class="label">New password</span><input type="password" name="password" autocomplete="new-password" minLength={12} required aria-invalid={error ? true : undefined} />
            <p class="hint">At least 12 characters.</p></label>
          {error && <p class="error" role="alert">{error.message}</p>}
          <Button type="submit" busy={busy}>Change password</Button>
        </form>
      </Section>
      <div><Button icon="out" onClick={signOut}>Sign out</Button></div>
    </>
  );
}
