/** The commands of the bin `imago`. The modules of a command are loaded when it is the one. */
import { commandNames } from '../migrate/actions.ts';
import { helpOf } from '../migrate/help.ts';

export type Run = (argv: readonly string[]) => Promise<number>;

export interface Entry {
  name: string;
  /** One line in the list. */
  says: string;
  group: 'Migrations' | 'Setting up' | 'Schema and plans';
  load: () => Promise<Run>;
}

const migrations = commandNames.map((name): Entry => {
  const load = async (): Promise<Run> => {
    const { run } = await import('../migrate/run.ts');
    return (argv) => run(argv, name);
  };
  return { name, says: helpOf[name].says, group: 'Migrations', load };
});

export const entries: readonly Entry[] = [
  ...migrations,
  {
    name: 'validate',
    says: 'check a migration before, during and after it; fix what is wrong',
    group: 'Migrations',
    load: async () => (await import('../validate/run.ts')).run,
  },
  {
    name: 'dashboard',
    says: 'serve a page on this machine to watch migrations and to run them',
    group: 'Migrations',
    load: async () => (await import('../dashboard/run.ts')).run,
  },
  {
    name: 'fleet',
    says: 'one plan over many databases: members, waves, workers',
    group: 'Migrations',
    load: async () => (await import('../fleet/run.ts')).run,
  },
  {
    name: 'install',
    says: 'add Imago to a Supabase project, or take it away',
    group: 'Setting up',
    load: async () => (await import('../install/run.ts')).run,
  },
  {
    name: 'doctor',
    says: 'compare what is installed with what should be',
    group: 'Setting up',
    load: async () => (await import('../doctor/run.ts')).run,
  },
  {
    name: 'local',
    says: 'keep an embedded Supabase running',
    group: 'Setting up',
    load: async () => (await import('../local/run.ts')).run,
  },
  {
    name: 'db',
    says: 'versions of the schema: write, apply, take back, compare',
    group: 'Schema and plans',
    load: async () => (await import('../db/run.ts')).run,
  },
  {
    name: 'plan',
    says: 'migration plans of your own: begin, check, test, build, list, drop',
    group: 'Schema and plans',
    load: async () => (await import('../plan/run.ts')).run,
  },
];
