/**
 * `npm run check:release -- v1.2.3 owner/name`: whether this commit may be released under that tag, by that repository.
 * `--notes v1.2.3` prints what the changelog says of it.
 */
import { z } from 'zod';
import { read } from './docs/folder.ts';
import { migrationChecksum, readManifest, readReleased } from './manifest.ts';
import { releaseNotes, releaseProblems } from './release/problems.ts';

const place = z.object({ url: z.string() }).optional();
const packageSchema = z.object({
  name: z.string(),
  version: z.string(),
  private: z.boolean().optional(),
  license: z.string().optional(),
  author: z.string().optional(),
  repository: place,
  bugs: place,
});

const [first = '', second = ''] = process.argv.slice(2);
const changelog = read('CHANGELOG.md');
if (first === '--notes') {
  console.log(releaseNotes(changelog, second.replace(/^v/, '')));
} else {
  const problems = releaseProblems({
    tag: first,
    repository: second,
    package: packageSchema.parse(JSON.parse(read('package.json'))),
    changelog,
    migrations: Object.fromEntries(
      Object.keys(readManifest()).map((name) => [name, migrationChecksum(name)]),
    ),
    released: readReleased(),
  });
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length > 0 ? 1 : 0;
}
