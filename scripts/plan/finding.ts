/** What the check of a plan finds. */

/** One thing that is wrong, or may be. */
export interface Finding {
  severity: 'error' | 'warning';
  /** What kind of thing it is. */
  about:
    | 'push'
    | 'comment'
    | 'contract'
    | 'rights'
    | 'visible'
    | 'preflight'
    | 'prepare'
    | 'progress'
    | 'undeclared'
    | 'apply'
    | 'idempotence'
    | 'cost'
    | 'checks'
    | 'sync'
    | 'rollback';
  message: string;
  remedy: string;
}

export function error(about: Finding['about'], message: string, remedy: string): Finding {
  return { severity: 'error', about, message, remedy };
}

export function warning(about: Finding['about'], message: string, remedy: string): Finding {
  return { severity: 'warning', about, message, remedy };
}

/** What was raised, in a line. The database is a scratch one with made-up rows, so its message may be shown. */
export function reason(raised: unknown): string {
  const { code, message } = raised as { code?: string; message?: string };
  return [code, message ?? String(raised)].filter(Boolean).join(': ');
}
