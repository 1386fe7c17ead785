import { describe, expect, test } from 'vitest';
import { contractFunctions, contractTypes, explained } from '../../scripts/docs/contract.ts';
import { engineFunctions, namesIn, planSources } from '../../scripts/docs/functions.ts';
import { readTable } from '../../scripts/docs/tables.ts';
import { mark, registrationTables } from '../../scripts/plan/promised.ts';
import { planFiles } from '../../scripts/plan/template.ts';

/** What plans use of schema imago: functions marked "For plans:", and the tables that register them. */

const promised = new Set<string>([
  ...contractFunctions().map(({ name }) => name),
  ...contractTypes().map(({ name }) => name),
  ...registrationTables,
]);

/** What a text uses of the engine that nobody has promised. */
function trespasses(file: string, text: string): string[] {
  return [
    ...namesIn(text, 'imago')
      .filter((name) => !promised.has(name))
      .map((name) => `${file}: imago.${name}`),
    ...namesIn(text, 'imago_undo').map((name) => `${file}: imago_undo.${name}`),
    ...(/\bimago_undo\.%/.test(text) ? [`${file}: undo tables`] : []),
  ];
}

/** A new plan as `imago plan new` writes it. */
function newPlan(): Record<string, string> {
  const key = {
    name: 'id',
    quoted: 'id',
    type: 'uuid',
    labels: null,
    known: true,
    notNull: true,
    generated: false,
    numbered: false,
    default: null,
    refers: null,
    collation: null,
  };
  return planFiles({
    plan: 'initials',
    source: {
      schema: 'public',
      table: 'users',
      relation: 'public.users',
      keys: [key],
      key,
      keyType: 'uuid',
      columns: [key],
      primaryKey: ['id'],
      parents: [],
    },
    column: { quoted: 'initials', name: 'initials' },
  });
}

describe('plans', () => {
  test('use nothing of the engine besides the contract', () => {
    expect(planSources().flatMap(({ file, text }) => trespasses(file, text))).toEqual([]);
  });

  test('that plan new writes use nothing of the engine besides the contract', () => {
    const files = Object.entries(newPlan());
    expect(files.length).toBeGreaterThan(3);
    expect(files.flatMap(([file, text]) => trespasses(file, text))).toEqual([]);
  });

  test('that used more of the engine would be caught', () => {
    expect(trespasses('a.sql', 'select imago.work_run(1, 2) from imago.log')).toEqual([
      'a.sql: imago.work_run',
      'a.sql: imago.log',
    ]);
    expect(trespasses('a.sql', "execute format('delete from imago_undo.%I', t)")).toEqual([
      'a.sql: undo tables',
    ]);
  });

  test('all register by create_plan and close by revoke_plan_functions', () => {
    const plans = Map.groupBy(planSources(), ({ plan }) => plan);
    expect(plans.size).toBeGreaterThan(3);
    for (const [plan, files] of plans) {
      const text = files.map((file) => file.text).join('\n');
      expect({ plan, text }).toEqual({
        plan,
        text: expect.stringMatching(new RegExp(`imago\\.create_plan\\(\\s*'${plan}'`)),
      });
      expect({ plan, text }).toEqual({
        plan,
        text: expect.stringContaining(`imago.revoke_plan_functions('${plan}')`),
      });
      expect(text).not.toMatch(/insert into imago\.plan \(|create schema/);
    }
  });
});

describe('the contract for plans', () => {
  test('has all functions of the folder for_plans, and no others', () => {
    const marked = contractFunctions().map(({ name }) => name);
    const inFolder = engineFunctions().filter(({ place }) => place === 'for_plans');
    expect(marked).toEqual(inFolder.map(({ name }) => name));
    expect(marked.length).toBeGreaterThan(20);
    expect(
      engineFunctions().filter(({ comment }) => /^for plans/i.test(comment) && !comment.startsWith(mark)),
    ).toEqual([]);
  });

  test.each(contractFunctions().map((routine) => [routine.name, routine] as const))(
    'has an example that calls %s',
    (name, routine) => {
      expect(explained(routine).example).toContain(`imago.${name}(`);
    },
  );

  test.each(registrationTables)('says of every column of imago.%s what it means', (name) => {
    const mute = readTable(name).columns.filter(({ comment }) => comment === '');
    expect(mute.map((column) => column.name)).toEqual([]);
  });
});
