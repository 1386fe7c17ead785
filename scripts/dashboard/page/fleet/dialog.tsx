/** Asks before anything is done to a rollout: says what it will do, and takes what it needs to know. */
import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { FleetProgress } from '../../../fleet/progress.ts';
import { asTrouble } from '../state.ts';
import { type Filled, type FleetAction, fleetActs, isOverBudget, performInFleet } from './acts.ts';
import { fleetNotice } from './state.ts';
import { rolloutName } from './words.ts';

interface Asked {
  action: FleetAction;
  member: string;
  /** As it was when it was asked: what is said does not change under the reader's eyes. */
  now: FleetProgress;
}

const opened = signal<Asked | undefined>(undefined);

export function openFleetDialog(action: FleetAction, now: FleetProgress, member = ''): void {
  opened.value = { action, member, now };
}

export function FleetDialog() {
  return opened.value ? <Opened key={opened.value.action} {...opened.value} /> : null;
}

function Opened({ action, member, now }: Asked) {
  const { title, says, button, isDanger } = fleetActs[action];
  const plan = now.plan ?? '';
  const dialog = useRef<HTMLDialogElement>(null);
  const [filled, setFilled] = useState<Filled>({
    member,
    stopPercent: Math.min(100, 2 * Math.max(5, now.stop_percent ?? 0)),
    force: false,
    confirm: '',
  });
  const [isBusy, setBusy] = useState(false);
  const isBack = action === 'rollback';
  const isReady = !isBack || filled.confirm === plan;

  useEffect(() => dialog.current?.showModal(), []);

  const close = (): void => {
    opened.value = undefined;
  };
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (!isReady || isBusy) return;
    setBusy(true);
    await performInFleet(action, now, filled).catch((error) => {
      const { code, message, hint } = asTrouble(error);
      fleetNotice.value = { kind: 'bad', text: `${message} (${code})`, hint };
    });
    close();
  };

  return (
    <dialog ref={dialog} aria-labelledby="fleet-dialog-title" onClose={close}>
      <form onSubmit={submit}>
        <h2 id="fleet-dialog-title">
          {title}{' '}
          <span class="muted">
            · rollout {now.rollout}, {rolloutName(now)}
          </span>
        </h2>
        {says(now, filled).map((line) => (
          <p key={line}>{line}</p>
        ))}
        {action === 'resume' && isOverBudget(now) && (
          <label class="field">
            Stop when more than so many % of all members have failed
            <input
              type="number"
              name="stop_percent"
              min={0}
              max={100}
              step="any"
              required
              value={filled.stopPercent}
              onInput={({ currentTarget: { valueAsNumber } }) =>
                setFilled({ ...filled, stopPercent: valueAsNumber })
              }
            />
          </label>
        )}
        {isBack && (
          <>
            <label class="check">
              <input
                type="checkbox"
                name="force"
                checked={filled.force}
                onInput={({ currentTarget: { checked } }) => setFilled({ ...filled, force: checked })}
              />
              Force: also over what people changed since. Their changes are lost.
            </label>
            <label class="field">
              <span>
                Type <code>{plan}</code> to confirm
              </span>
              <input
                name="confirm"
                value={filled.confirm}
                spellcheck={false}
                autocomplete="off"
                onInput={({ currentTarget: { value } }) => setFilled({ ...filled, confirm: value })}
              />
            </label>
          </>
        )}
        <div class="buttons">
          <button type="button" onClick={() => dialog.current?.close()}>
            Leave it
          </button>
          <button type="submit" class={isDanger ? 'danger' : 'primary'} disabled={!isReady || isBusy}>
            {isBusy ? 'Working …' : button}
          </button>
        </div>
      </form>
    </dialog>
  );
}
