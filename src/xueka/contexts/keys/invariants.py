"""What must always hold of keys. Whether every block opens is asked of the store (`xueka keys verify`)."""

from xueka.contexts.keys.domain.transitions import KEY_CHANGE, KEY_DELIVERY, KEY_VERSION
from xueka.platform.crypto.sealed_columns import sealed_columns
from xueka.platform.history.invariants import state_matches_history, steps_allowed
from xueka.platform.invariants import Invariant, from_rows

#: One that is too short for a version is no envelope: the invariants of its own table say so.
_BY_VERSION = (
    "SELECT '{table}.{column}', get_byte({column}, 1) * 256 + get_byte({column}, 2), count(*) FROM {table}"
    " WHERE length({column}) > 2 AND {when} GROUP BY 2"
)


def sealed_rows() -> Invariant:
    """Which columns are sealed is known when all models are: whoever checks calls it then."""
    counted = " UNION ALL ".join(
        _BY_VERSION.format(table=each.table, column=each.column, when=each.when or "true")
        for each in sealed_columns()
    )
    return from_rows(
        "keys_field_key_in_service",
        "没有加密数据留在已停用的字段密钥版本下",
        f"""
        SELECT f.place || ' ' || f.number || ' ' || f.n, coalesce(v.state IN ('retired', 'destroyed'), false)
          FROM ({counted}) AS f (place, number, n)
          LEFT JOIN (keys_keyversion v JOIN keys_key k ON k.id = v.key_id AND k.label = 'platform.fields')
            ON v.number = f.number""",  # noqa: S608 - names of our own models
    )


INVARIANTS = [
    state_matches_history(KEY_VERSION, "keys_keyversion"),
    steps_allowed(KEY_VERSION),
    state_matches_history(KEY_CHANGE, "keys_keychange"),
    steps_allowed(KEY_CHANGE),
    state_matches_history(KEY_DELIVERY, "keys_keydelivery"),
    steps_allowed(KEY_DELIVERY),
    from_rows(
        "keys_parts_are_gone",
        "密钥变更结束后，不留任何分量",
        """
        SELECT c.number || ' ' || p.person, p.sealed IS NOT NULL AND c.state <> 'asked'
          FROM keys_keypart p JOIN keys_keychange c ON c.id = p.change_id""",
    ),
    from_rows(
        "keys_deliveries_arrived_right",
        "到达的密钥由交出人以外的人确认，读回的校验值一致",
        """
        SELECT d.number, d.state = 'arrived'
               AND (d.kcv <> v.kcv OR d.sent_by = '' OR d.arrived_by = '' OR d.sent_by = d.arrived_by)
          FROM keys_keydelivery d JOIN keys_keyversion v ON v.id = d.version_id""",
    ),
    from_rows(
        "keys_derived_from_their_source",
        "由上级分散的密钥版本都来自登记的上级，类型、算法一致，分散时的使用已记录",
        """
        SELECT k.label || '/' || v.number,
               k.source_id IS DISTINCT FROM s.key_id OR v.algorithm IS DISTINCT FROM s.algorithm
               OR k.kind IS DISTINCT FROM a.kind OR k.level NOT IN ('issuer', 'master')
               OR NOT EXISTS (SELECT 1 FROM keys_keyuse u WHERE u.version_id = s.id AND u.usage = 'derive')
          FROM keys_keyversion v JOIN keys_key k ON k.id = v.key_id
          LEFT JOIN keys_keyversion s ON s.id = v.derived_from_id
          LEFT JOIN keys_key a ON a.id = s.key_id
         WHERE k.source_id IS NOT NULL OR v.derived_from_id IS NOT NULL""",
    ),
    from_rows(
        "keys_one_active_version",
        "每个密钥最多一个使用中的版本，版本号连续",
        """
        SELECT k.label, count(*) FILTER (WHERE v.state = 'active') > 1 OR max(v.number) <> count(*)
          FROM keys_key k JOIN keys_keyversion v ON v.key_id = k.id GROUP BY k.label""",
    ),
    from_rows(
        "keys_versions_are_held",
        "每个未销毁的密钥版本都有密钥块或句柄，保护它的密钥未停用",
        """
        SELECT k.label || '/' || v.number,
               CASE WHEN v.state = 'destroyed' THEN v.block IS NOT NULL OR v.handle <> ''
                    ELSE (v.block IS NULL AND v.handle = '')
                         OR (v.block IS NOT NULL AND w.id IS NOT NULL AND w.state IN ('retired', 'destroyed'))
                END
          FROM keys_keyversion v JOIN keys_key k ON k.id = v.key_id
          LEFT JOIN keys_keyversion w ON w.id = v.wrapped_by_id""",
    ),
    from_rows(
        "keys_destroyed_leave_their_store",
        "已销毁的密钥在一天内从密钥库清除，清除的只是已销毁的",
        """
        SELECT k.label || '/' || v.number,
               CASE WHEN r.id IS NULL THEN false
                    ELSE v.state <> 'destroyed' OR r.store <> v.store
                         OR (r.done_at IS NULL AND r.asked_at < now() - interval '1 day')
                END
          FROM keys_keyversion v JOIN keys_key k ON k.id = v.key_id
          LEFT JOIN keys_removal r ON r.version_id = v.id""",
    ),
    from_rows(
        "keys_foreign_never_held",
        "外部密钥只有名称、所有者和存放处，系统不持有",
        """
        SELECT k.label, (NOT k.held AND (v.id IS NOT NULL OR k.owner = '' OR k.place = ''))
          FROM keys_key k LEFT JOIN keys_keyversion v ON v.key_id = k.id AND NOT k.held""",
    ),
    from_rows(
        "keys_drill_stays_apart",
        "演练密钥与正式密钥互不相干：名称、库和保护关系都分开",
        """
        SELECT k.label || coalesce('/' || v.number, ''),
               k.drill <> (k.label LIKE 'drill.%')
               OR coalesce(p.drill <> k.drill, false)
               OR coalesce(v.drill <> k.drill OR (v.store = 'drill') <> k.drill, false)
               OR coalesce(w.drill <> k.drill, false)
          FROM keys_key k LEFT JOIN keys_key p ON p.id = k.parent_id
          LEFT JOIN keys_keyversion v ON v.key_id = k.id
          LEFT JOIN keys_keyversion w ON w.id = v.wrapped_by_id""",
    ),
    from_rows(
        "keys_changes_have_two_people",
        "每个密钥版本和每项变更都由两个不同的人经手",
        """
        SELECT k.label || '/' || v.number,
               v.origin <> 'found' AND (v.asked_by = '' OR v.confirmed_by = '' OR v.asked_by = v.confirmed_by
                                        OR (v.change_id IS NULL AND v.ceremony_id IS NULL))
          FROM keys_keyversion v JOIN keys_key k ON k.id = v.key_id
         UNION ALL
        SELECT number, state = 'done' AND (decided_by = '' OR decided_by = asked_by) FROM keys_keychange""",
    ),
    from_rows(
        "keys_uses_are_audited",
        "密钥的每次使用都有审计记录，审计记录的每次使用都在案",
        """
        SELECT k.label || '/' || v.number || ' ' || u.subject,
               e.action <> 'key.use' OR e.object_id <> u.subject OR e.actor <> u.actor
               OR NOT e.detail -> 'keys' ? (k.label || '/' || v.number)
               OR (e.detail ->> 'cards')::int <> u.cards
          FROM keys_keyuse u JOIN keys_keyversion v ON v.id = u.version_id JOIN keys_key k ON k.id = v.key_id
          JOIN audit_entry e ON e.id = u.entry_id
         UNION ALL
        SELECT e.object_id || ' ' || e.id,
               jsonb_array_length(e.detail -> 'keys')
               <> (SELECT count(*) FROM keys_keyuse u WHERE u.entry_id = e.id)
          FROM audit_entry e WHERE e.action = 'key.use'""",
    ),
    from_rows(
        "keys_used_while_usable",
        "密钥只在使用中或仅验证时被使用过",
        """
        SELECT k.label || '/' || v.number || ' ' || u.subject,
               coalesce((SELECT h.to_state FROM history_transition h
                          WHERE h.machine = 'key_version' AND h.object_id = v.id AND h.at <= u.at
                          ORDER BY h.seq DESC LIMIT 1), '') NOT IN ('active', 'verify_only')
          FROM keys_keyuse u JOIN keys_keyversion v ON v.id = u.version_id
          JOIN keys_key k ON k.id = v.key_id""",
    ),
    from_rows(
        "keys_ceremonies_are_chained",
        "每次密钥仪式的记录都在审计日志中，摘要一致",
        """
        SELECT c.number, e.id IS NULL OR e.detail ->> 'transcript' <> c.transcript_digest
               OR e.detail ->> 'plan' <> c.plan_digest
          FROM keys_ceremony c
          LEFT JOIN audit_entry e ON e.action = 'key.ceremony' AND e.object_id = c.number""",
    ),
]
