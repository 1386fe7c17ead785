import type { ISql } from 'postgres';
import { expect } from 'vitest';
import type { Fixture } from './fixture.ts';

/** A freelancer whose profile is set, by a number. */
const freelancer = (sql: ISql, n: number) =>
  sql`(select id from public."User" where username = ${`user_${10 * (n % 6) + 1 + (n % 4)}`})`;

export default {
  app: 'tests/support/profile_gigs.sql',
  writers: [
    {
      name: 'sign-ups of freelancers',
      side: 'old',
      write: (sql, n) => sql`
        insert into public."User" (username, email, password, role, "isProfileInfoSet", skills, "updatedAt")
        values (${`late_${n}`}, ${`late_${n}@example.test`}, 'x', 'freelancer', true, ${['SQL', `no. ${n}`]}, now())`,
    },
    {
      name: 'clients who become freelancers',
      side: 'old',
      write: (sql, n) => sql`
        update public."User" set role = 'freelancer', "isProfileInfoSet" = true
        where username = ${`user_${10 * (n % 6) + 7}`}`,
    },
    {
      name: 'skills of users',
      side: 'old',
      write: (sql, n) => sql`
        update public."User" set skills = ${[`old ${n}`]}, "yearsOfExperience" = ${n % 40} where id = ${freelancer(sql, n)}`,
    },
    {
      name: 'skills of profile gigs',
      side: 'new',
      write: (sql, n) => sql`
        update public."Gigs" set skills = ${[`new ${n}`]}, certificates = null
        where "isProfileGig" and "userId" = ${freelancer(sql, n)}`,
    },
    {
      name: 'titles of profile gigs',
      side: 'new',
      conflicts: true,
      write: (sql, n) => sql`
        update public."Gigs" set title = ${`Title ${n}`} where "isProfileGig" and "userId" = ${freelancer(sql, n)}`,
    },
  ],
  made: { '"Gigs"': '"isProfileGig"' },
  differing: `
    select u.id as entity
    from public."User" u
    left join public."Gigs" g on g."userId" = u.id and g."isProfileGig"
    where g.id is null and u.role = 'freelancer' and u."isProfileInfoSet"
       or g.id is not null and (g.skills, g."codingLanguages", g."yearsOfExperience", g.certificates)
         is distinct from (u.skills, u."codingLanguages", coalesce(u."yearsOfExperience", 0), u.certificates)`,
  async finalized(sql) {
    const [aside] = await sql`
      select count(*)::int as users, (select count(*)::int from public."User") as all from profile_gigs.users_aside`;
    expect(aside?.users).toBe(aside?.all);
  },
} satisfies Fixture;
