/** What keeps a commit from being released. */

/** What a release is judged by. */
export interface Release {
  /** The tag, v and the version. */
  tag: string;
  /** Owner and name of the repository that releases. */
  repository: string;
  /** package.json. */
  package: {
    name: string;
    version: string;
    private?: boolean | undefined;
    license?: string | undefined;
    author?: string | undefined;
    repository?: { url: string } | undefined;
    bugs?: { url: string } | undefined;
  };
  changelog: string;
  /** Migrations of sql/manifest.json with the checksum of the file that is there. */
  migrations: Record<string, string>;
  /** sql/released.json: migrations that are frozen, with their checksums. */
  released: Record<string, string>;
}

/** One line each, empty when nothing stands in the way. */
export function releaseProblems(release: Release): string[] {
  const { tag, package: pack, released } = release;
  const problems: string[] = [];
  const refuse = (wrong: boolean, line: string) => wrong && problems.push(line);

  refuse(tag !== `v${pack.version}`, `The tag is ${tag}, and package.json says ${pack.version}.`);
  refuse(
    releaseNotes(release.changelog, pack.version) === '',
    `CHANGELOG.md does not begin with "## ${pack.version}" and what people must do.`,
  );
  for (const [name, checksum] of Object.entries(release.migrations)) {
    refuse(
      !(name in released),
      `${name} is not frozen: npm run build:sql -- --release, commit sql/released.json.`,
    );
    refuse(
      name in released && released[name] !== checksum,
      `${name} was released, and has changed since: restore it.`,
    );
  }
  for (const name of Object.keys(released)) {
    refuse(!(name in release.migrations), `${name} was released, and is gone from sql/manifest.json.`);
  }

  // What a person decides once.
  refuse(pack.private === true, 'package.json says private: a person decides to publish, and takes it away.');
  refuse(!pack.name.startsWith('@'), `The name ${pack.name} is in no scope: take one that is yours.`);
  refuse(!pack.license || !pack.author, 'package.json names no license or no author.');
  const here = `github.com/${release.repository}`;
  refuse(!pack.repository?.url.includes(here), `package.json names no repository, or another than ${here}.`);
  refuse(!pack.bugs?.url.includes(here), `package.json names no place for bugs, or another than ${here}.`);
  return problems;
}

/** What the changelog says of a version where that is its first entry; empty otherwise. */
export function releaseNotes(changelog: string, version: string): string {
  const [, first = ''] = changelog.split(/^## /m);
  const [heading = '', ...lines] = first.split('\n');
  return heading.trim() === version ? lines.join('\n').trim() : '';
}
