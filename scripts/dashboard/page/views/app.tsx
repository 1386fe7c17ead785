/** The whole page: who is asked, the plans, the one that is looked at. */
import { canAsk, hasFleet, isFleet, isFleetAlone, isOffline, target, targetName } from '../connection.ts';
import { FleetPage } from '../fleet/page.tsx';
import { signedIn, signOut } from '../signing.ts';
import { plan, planName, plans, role, trouble } from '../state.ts';
import { ActionDialog } from './dialog.tsx';
import { PlanPage } from './plan-page.tsx';
import { PlanList } from './plans.tsx';
import { SignIn } from './sign-in.tsx';

const roles = { viewer: 'viewer', operator: 'operator', key: 'secret key' } as const;

export function App() {
  return (
    <>
      <button type="button" class="skip" onClick={() => document.getElementById('main')?.focus()}>
        Skip to the {isFleet.value ? 'fleet' : 'plan'}
      </button>
      <header class="top">
        <strong class="brand">Imago</strong>
        {canAsk() && (
          <>
            {hasFleet && !isFleetAlone && <Places />}
            {!isFleet.value && (
              <>
                <span class="where">{targetName()}</span>
                <span class="chip">{plans.value ? roles[role.value] : '…'}</span>
              </>
            )}
            <span class={`live ${isOffline.value ? 'off' : ''}`} role="status">
              {isOffline.value ? 'offline' : 'live'}
            </span>
            {target === undefined && (
              <button type="button" class="plain" onClick={() => signOut()}>
                Sign out {signedIn.value?.email}
              </button>
            )}
          </>
        )}
      </header>
      {canAsk() ? isFleet.value ? <FleetPage /> : <Shown /> : target === undefined ? <SignIn /> : <NoToken />}
      <ActionDialog />
    </>
  );
}

/** The plans of this project, or the fleet. */
function Places() {
  return (
    <nav class="places" aria-label="What to look at">
      <a href="#plans" aria-current={isFleet.value ? undefined : 'page'}>
        Plans
      </a>
      <a href="#fleet" aria-current={isFleet.value ? 'page' : undefined}>
        Fleet
      </a>
    </nav>
  );
}

function Shown() {
  const met = trouble.value;
  if (!plans.value) {
    return (
      <main id="main" tabIndex={-1}>
        {met ? <Met /> : <Loading />}
      </main>
    );
  }
  if (plans.value.plans.length === 0) return <NoPlans />;
  return (
    <div class="columns">
      <PlanList />
      <main id="main" tabIndex={-1}>
        {met && <Met />}
        {plan.value && <PlanPage key={planName.value} plan={plan.value} />}
      </main>
    </div>
  );
}

const titles: Record<string, string> = {
  offline: 'Offline',
  engine_newer: 'The engine is newer than this page',
  wrong_version: 'Page and engine do not fit',
  unauthorized: 'Not let in',
  forbidden: 'You have no role here',
  not_installed: 'Imago is not installed here',
};

/** What the last look met. Figures that were seen before stay, and are marked as old. */
function Met() {
  const met = trouble.value;
  if (!met) return null;
  return (
    <section class="met" role="alert">
      <h2>{titles[met.code] ?? 'This could not be read'}</h2>
      <p>{met.message}</p>
      {met.code === 'forbidden' ? (
        <p>
          Somebody with the SQL editor makes you a viewer or an operator:{' '}
          <code>
            update auth.users set raw_app_meta_data = raw_app_meta_data || '{'{"imago_role": "viewer"}'}'
            where email = '{signedIn.value?.email ?? '…'}';
          </code>{' '}
          Then sign in again.
        </p>
      ) : (
        met.hint && <p>{met.hint}</p>
      )}
      {plans.value && (
        <p class="muted">What is shown below is from before. It is tried again every few seconds.</p>
      )}
    </section>
  );
}

function Loading() {
  return (
    <div class="loading" role="status">
      <p class="sr">Reading the plans</p>
      <div class="bone wide" />
      <div class="bone" />
      <div class="bone tall" />
    </div>
  );
}

function NoPlans() {
  return (
    <main id="main" class="empty" tabIndex={-1}>
      <h1>No plan yet</h1>
      <p>Imago is installed, and there is no migration plan in this database.</p>
      <p>
        Write one with <code>npx --no imago plan create</code>, then push its migration with{' '}
        <code>npx supabase db push</code>. It appears here by itself.
      </p>
    </main>
  );
}

function NoToken() {
  return (
    <main id="main" class="empty" tabIndex={-1}>
      <h1>This address lacks its token</h1>
      <p>
        Open the whole address that the command has printed: it ends with # and the token. Each start has
        another one.
      </p>
    </main>
  );
}
