/** The package as `npm pack` makes it, in the node_modules of a folder. */
import { chmod, mkdir, readdir, readFile, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { expect } from 'vitest';
import { packageFolder } from '../../scripts/package.ts';
import { execute } from './project.ts';

/** As npm does it, but the packages that it depends on are linked and not downloaded; none that it does not name is there. */
export async function installPackage(app: string): Promise<string> {
  const pack = await execute('npm', ['pack', '--json', '--pack-destination', app], packageFolder);
  expect(pack.code, pack.stderr).toBe(0);
  const [tarball = ''] = (await readdir(app)).filter((name) => name.endsWith('.tgz'));
  const modules = path.join(app, 'node_modules');
  const installed = path.join(modules, 'imago');
  await mkdir(installed, { recursive: true });
  await execute('tar', ['-xzf', path.join(app, tarball), '-C', installed, '--strip-components=1'], app);
  await rm(path.join(app, tarball));

  const { dependencies, bin } = JSON.parse(await readFile(path.join(installed, 'package.json'), 'utf8'));
  for (const name of Object.keys(dependencies)) {
    await mkdir(path.dirname(path.join(modules, name)), { recursive: true });
    await symlink(path.join(packageFolder, 'node_modules', name), path.join(modules, name));
  }
  await mkdir(path.join(modules, '.bin'));
  await chmod(path.join(installed, bin.imago), 0o755);
  await symlink(path.join(installed, bin.imago), path.join(modules, '.bin', 'imago'));
  await symlink(
    path.join(packageFolder, 'node_modules/.bin/supabase'),
    path.join(modules, '.bin', 'supabase'),
  );
  return installed;
}
