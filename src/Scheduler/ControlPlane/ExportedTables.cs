namespace BackupDr.Scheduler.ControlPlane;

/// <summary>A table that is exported.</summary>
/// <param name="Name">Its name.</param>
/// <param name="IsLarge">Whether it grows with time: its rows are then cut by the first column of its key, a number or an id that begins
/// with a time, so that what was written long ago is not read and stored again.</param>
sealed record ExportedTable(string Name, bool IsLarge = false);

/// <summary>What of the database an export holds. Each table is in exactly one of the two lists; a test compares them with the
/// schema.</summary>
static class ExportedTables
{
    /// <summary>Everything without which agents, policies, restores and proofs would not go on as before.</summary>
    public static readonly IReadOnlyList<ExportedTable> All =
    [
        new("sealing_key"), new("person"), new("api_key"), new("chain_head"), new("audit", IsLarge: true), new("evidence", IsLarge: true),
        new("evidence_key"), new("authority"), new("listener_identity"), new("host"), new("host_certificate"), new("join_token"),
        new("location"), new("repository"), new("replica"), new("policy"), new("item"), new("recovery_point", IsLarge: true),
        new("recovery_point_place", IsLarge: true), new("run", IsLarge: true), new("gateway_user"), new("recovery_kit"), new("duty"),
        new("log_stretch"), new("found_source"), new("retention_look"), new("retention_hold"), new("garbage"), new("alert"),
        new("channel"), new("item_day"), new("policy_version"), new("host_label"),
        new("four_eyes"), new("runbook"), new("runbook_version"), new("execution", IsLarge: true), new("execution_item"),
        new("execution_event", IsLarge: true), new("activity"), new("step_secret"), new("step_note"),
    ];

    /// <summary>What stays behind, and why.</summary>
    public static readonly IReadOnlyDictionary<string, string> LeftOut = new Dictionary<string, string>
    {
        ["control_plane"] = "written anew from the export itself",
        ["control_export"] = "how far the exports are; begins anew",
        ["migration"] = "the schema is made by the migrations that the export names",
        ["data_protection_key"] = "keys of forms that are open in a browser: made anew",
        ["session"] = "people sign in again",
        ["invitation"] = "links that hold for days: made anew",
        ["approval"] = "requests that wait for hours: asked for anew; the audit log tells of the decided ones",
        ["sign_in_failure"] = "minutes of history",
        ["agent_request"] = "questions that somebody waits for now",
        ["run_event"] = "the lines of each run's log: large, and nothing depends on them",
        ["message"] = "what was told or about to be told; open alerts are told again",
        ["alert_look"] = "which node looks now",
        ["item_day_look"] = "which node writes the days now",
        ["assign_look"] = "which node assigns found sources now",
        ["commit_mark"] = "whether a commit of the last minutes took place",
        ["node"] = "nodes enter themselves when they start",
        ["node_token"] = "lets a node in within half an hour: made anew",
        ["firing"] = "which times policies fired: runs tell it too, and what passed meanwhile is made up for once",
        ["drill_plan"] = "which node plans now",
        ["host_alone"] = "what hosts may do while no node is reachable: they ask for it anew within minutes",
        ["log_range"] = "the former form of log_stretch",
    };
}
