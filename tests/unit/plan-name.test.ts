import { describe, expect, test } from 'vitest';
import { checkNames } from '../../scripts/plan/create.ts';
import { nameProblem } from '../../scripts/plan/plan-name.ts';

const wish = (plan: string) => ({ plan, source: 'public.users', key: 'id', column: undefined });

describe('the name of a new plan', () => {
  test.each<[plan: string, why: RegExp]>([
    ['Bad', /small letter/],
    ['1st', /small letter/],
    ['../x', /small letter/],
    ['a-b', /small letter/],
    ['', /small letter/],
    ['é', /small letter/],
    ['__proto__', /JavaScript keeps/],
    ['constructor', /JavaScript keeps/],
    ['prototype', /JavaScript keeps/],
    ['select', /PostgreSQL reserves/],
    ['user', /PostgreSQL reserves/],
    ['left', /PostgreSQL reserves/],
    ['values', /PostgreSQL reserves/],
    ['none', /PostgreSQL reserves/],
    ['ctid', /every table/],
    ['pg_x', /begin with pg_/],
    ['public', /schema of/],
    ['imago', /schema of/],
    ['imago_undo', /schema of/],
    ['auth', /schema of/],
    ['storage', /schema of/],
    ['supabase_functions', /schema of/],
    ['nul', /Windows/],
    ['com1', /Windows/],
    ['x'.repeat(42), /42 characters/],
  ])('%j is refused, with the reason %s and another name that is not', (plan, why) => {
    let refused: { message: string; hint?: string } = { message: '' };
    try {
      checkNames(wish(plan));
    } catch (error) {
      refused = error as typeof refused;
    }
    expect(refused.message).toContain('cannot be the name of a plan');
    expect(refused.message).toMatch(why);
    const [, other = ''] = /like (\w+)\.$/.exec(refused.hint ?? '') ?? [];
    expect(nameProblem(other)).toBeUndefined();
  });

  test.each(['initials', 'names', 'user_names', 'x'.repeat(41), 'type', 'date', 'class', 'status'])(
    '%s is taken, since no word of a language forbids it',
    (plan) => expect(nameProblem(plan)).toBeUndefined(),
  );
});
