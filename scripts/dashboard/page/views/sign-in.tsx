/** Signing in, where the page is served by any web server. */
import { useState } from 'preact/hooks';
import { knownProject, signIn, signInProblem } from '../signing.ts';
import { look } from '../state.ts';

export function SignIn() {
  const known = knownProject();
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');

  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget as HTMLFormElement);
    const field = (name: string): string => String(fields.get(name) ?? '');
    setBusy(true);
    const met = await signIn(field('url'), field('key'), field('email'), field('password'));
    setBusy(false);
    setProblem(met);
    if (met === '') look();
  };

  return (
    <main id="main" class="sign-in" tabIndex={-1}>
      <h1>Sign in to your project</h1>
      <p class="muted">
        As a user of your app who is a viewer or an operator (<code>imago_role</code> in{' '}
        <code>app_metadata</code>). Nothing goes anywhere but to the project.
      </p>
      <form onSubmit={submit}>
        <label class="field">
          Project URL
          <input
            name="url"
            type="url"
            defaultValue={known.url}
            placeholder="https://<ref>.supabase.co"
            required
          />
        </label>
        <label class="field">
          Publishable key
          <input
            name="key"
            defaultValue={known.key}
            placeholder="sb_publishable_…"
            autocomplete="off"
            required
          />
        </label>
        <label class="field">
          E-mail
          <input name="email" type="email" autocomplete="username" required />
        </label>
        <label class="field">
          Password
          <input name="password" type="password" autocomplete="current-password" required />
        </label>
        <p class="problem" role="alert">
          {problem || signInProblem.value}
        </p>
        <button type="submit" class="primary" disabled={isBusy}>
          {isBusy ? 'Signing in …' : 'Sign in'}
        </button>
      </form>
    </main>
  );
}
