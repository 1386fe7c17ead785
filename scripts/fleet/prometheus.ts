/** How far a rollout is, in the text format of Prometheus. */
import type { FleetProgress } from './progress.ts';

interface Metric {
  name: string;
  help: string;
  samples: [labels: Record<string, string>, value: number | null | undefined][];
}

const states = ['pending', 'working', 'waiting', 'succeeded', 'failed', 'skipped'] as const;
const rolloutStates = ['running', 'paused', 'stopped', 'succeeded', 'failed', 'cancelled'] as const;

export function metrics(progress: FleetProgress): string {
  const { members, entities, failures, workers } = progress;
  const all: Metric[] = [
    {
      name: 'imago_fleet_members',
      help: 'Members of the rollout by what has become of them.',
      samples: states.map((state) => [{ state }, members[state]]),
    },
    {
      name: 'imago_fleet_state',
      help: '1 for the state that the rollout is in.',
      samples: rolloutStates.map((state) => [{ state }, state === progress.state ? 1 : 0]),
    },
    {
      name: 'imago_fleet_wave',
      help: 'The number of the wave that is being worked.',
      samples: [[{}, progress.wave]],
    },
    {
      name: 'imago_fleet_entities_moved',
      help: 'Entities that the rollout has moved in all members, or taken back.',
      samples: [[{}, entities.moved]],
    },
    {
      name: 'imago_fleet_entities_remaining',
      help: 'Entities left in all members; an estimate where not all have been counted.',
      samples: [[{}, entities.remaining]],
    },
    {
      name: 'imago_fleet_entities_per_minute',
      help: 'Entities moved a minute, lately.',
      samples: [[{}, entities.per_minute]],
    },
    {
      name: 'imago_fleet_eta_seconds',
      help: 'Seconds until all is done, at the rate of late.',
      samples: [[{}, entities.eta_seconds]],
    },
    {
      name: 'imago_fleet_failures',
      help: 'Members that failed or were left alone, by code.',
      samples: failures.map(({ code, state, found }) => [{ code: code ?? '', state }, found]),
    },
    {
      name: 'imago_fleet_workers',
      help: 'Workers that are alive.',
      samples: [[{}, workers.length]],
    },
  ];
  const common = { rollout: String(progress.rollout), kind: progress.kind, plan: progress.plan ?? '' };
  return all
    .map(({ name, help, samples }) => {
      const lines = samples
        .filter(([, value]) => typeof value === 'number')
        .map(([labels, value]) => `${name}${written({ ...common, ...labels })} ${value}\n`);
      return lines.length > 0 ? `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${lines.join('')}` : '';
    })
    .join('');
}

function written(labels: Record<string, string>): string {
  const escaped = (value: string) =>
    value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
  return `{${Object.entries(labels)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(',')}}`;
}
