create or replace function public.give_up_column(plan text, relation text, column_name text default null)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
begin
  return imago.give_up_column(plan, relation, column_name);
end
$$;
comment on function public.give_up_column(text, text, text) is 'Imago: takes a column or table that a plan wrote and that is lost (IM076) out of the journal. A rollback then takes back all else; says how many rows and entities it cannot put back there.';
