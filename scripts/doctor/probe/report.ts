/** What a probe says: one block of text that may be pasted into an issue, or one object. */
import type { Environment } from '../../command/environment.ts';
import type { Part } from './part.ts';

/** The lines of the block. Fenced, so that an issue shows it as it is. */
export function blockOf(parts: readonly Part[]): string[] {
  const width = Math.max(...parts.map(({ name }) => name.length));
  const lines = parts.map(({ name, status, text }) => `${status.padEnd(7)}  ${name.padEnd(width)}  ${text}`);
  return ['```text', 'npm run doctor -- --probe', ...lines, '```'];
}

/**
 * Takes out whatever names this project or opens it. The parts are made so that nothing of it is in them; this stands behind
 * that, in case one of them is wrong.
 */
export function withoutSecrets(text: string, environment: Environment): string {
  return secretsOf(environment).reduce((rest, secret) => rest.replaceAll(secret, '…'), text);
}

/** So short a text says nothing by itself, and may be in any word. */
const shortest = 6;

function secretsOf(environment: Environment): string[] {
  const values = Object.entries(environment)
    .filter(([name]) => /URL|KEY|CERT/.test(name))
    .map(([, value]) => String(value ?? ''));
  const parts = values.flatMap((value) => {
    const url = URL.parse(value);
    if (!url) return [value];
    const pieces = [
      url.host,
      url.hostname,
      ...url.hostname.split('.'),
      url.username,
      ...url.username.split('.'),
    ];
    return [value, ...pieces, url.password, decode(url.password), url.pathname.slice(1), url.search.slice(1)];
  });
  const usual = /^(postgres(ql)?|supabase|localhost|public|pooler)?$/;
  return [...new Set(parts)]
    .filter((part) => part.length >= shortest && !usual.test(part))
    .sort((a, b) => b.length - a.length);
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
