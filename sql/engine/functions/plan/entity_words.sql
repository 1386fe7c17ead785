create or replace function imago.entity_words(plan imago.plan, out singular text, out plural text)
language sql
immutable
set search_path = ''
as $$
  select
    -- Off goes an s behind a letter, but not where the word has it in the singular, too (status), or needs more than that (boxes, companies).
    coalesce(plan.entity_singular, case
      when plan.source_table ~* '[[:alpha:]]{2}s$' and plan.source_table !~* '(ss|us|is|ies|oes|[sxz]es|[cs]hes|news)$'
      then left(plan.source_table, -1)
      else plan.source_table
    end),
    coalesce(plan.entity_plural, plan.source_table)
$$;
comment on function imago.entity_words(imago.plan) is 'What one entity of a stage, and what several, are called: as the plan says, else by the table''s name.';
