// Signing in: by password, and by the company's own way where there is one.

import { useEffect, useState } from "preact/hooks";
import { type ApiError, call, get, me } from "../lib/api.ts";
import { forget, useQuery } from "../lib/query.ts";
import type { LoginOptions, Me } from "../lib/types.ts";
import { Button } from "../ui/basics.tsx";
import { Mark, ThemeChoice } from "../ui/navigation.tsx";

export function SignIn() {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [error, setError] = useState<ApiError | null>(null);
  const [busy, setBusy] = useState(false);
  const [wait_s, setWait] = useState(0);
  const { data: options } = useQuery<LoginOptions>("/login/options");
  useEffect(() => void (document.title = "Sign in · fastgw"), []);
  useEffect(() => {
    if (wait_s <= 0) return;
    const timer = setTimeout(() => setWait(wait_s - 1), 1000);
    return () => clearTimeout(timer);
  }, [wait_s]);

  const enter = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await call("POST", "/login", { email, password });
      forget();
      me.value = await get<Me>("/me");
    } catch (failure) {
      setError(failure as ApiError);
      if ((failure as ApiError).code === "too_many_logins") setWait((failure as ApiError).retryAfter || 60);
    }
    setBusy(false);
  };
  const next = encodeURIComponent(location.pathname + location.search);
  const hasPassword = options?.password !== false;
  return (
    <main class="sign-in">
      <div class="card">
        <div class="brand"><Mark />fastgw</div>
        <h1>Sign in</h1>
        {options?.oidc && (
          <Button kind={hasPassword ? "plain" : "primary"} href={`${options.oidc.url}?next=${next}`} target="_self">Continue with {options.oidc.name}</Button>
        )}
        {options?.oidc && hasPassword && <div class="or"><span>or</span></div>}
        {hasPassword && (
          <form onSubmit={enter}>
            <label class="field"><span class="label">Email</span>
              <input type="email" name="email" autocomplete="username" value={email} required autofocus
                onInput={(event) => setEmail(event.currentTarget.value)} />
            </label>
            <label class="field"><span class="label">Password</span>
              <input type="password" name="password" autocomplete="current-password" value={password} required aria-invalid={error ? true : undefined}
                aria-describedby={error ? "sign-in-error" : undefined} onInput={(event) => setPassword(event.currentTarget.value)} />
            </label>
            <p class="error" id="sign-in-error" role="alert">
              {wait_s > 0 ? `Too many attempts: try again in ${wait_s} s` : error && (error.status === 401 ? "The email and the password do not go together" : error.message)}
            </p>
            <Button kind="primary" type="submit" busy={busy} disabled={wait_s > 0}>Sign in</Button>
          </form>
        )}
      </div>
      <ThemeChoice />
    </main>
  );
}
