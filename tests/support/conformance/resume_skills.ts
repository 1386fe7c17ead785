import type { Fixture } from './fixture.ts';

const byEmail = (n: number) => `user${1 + (n % 60)}@example.com`;

export default {
  app: 'tests/support/resume_skills.sql',
  writers: [
    {
      name: 'sign-ups',
      side: 'old',
      write: (sql, n) => sql`
        insert into public.users (name, email, password) values ('New', ${`new${n}@example.com`}, 'secret')`,
    },
    {
      name: 'profiles',
      side: 'old',
      write: (sql, n) => sql`update public.users set phone = ${`+1 ${n}`} where email = ${byEmail(n)}`,
    },
    {
      name: 'own skills',
      side: 'new',
      conflicts: true,
      write: (sql, n) => sql`
        update public.users set skills = ${sql.json([{ name: 'SQL', level: `expert ${n}` }])} where email = ${byEmail(n)}`,
    },
  ],
  differing: 'select u.id as entity from public.users u where u.skills is null',
} satisfies Fixture;
