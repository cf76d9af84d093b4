using BackupDr.Agent.Clusters;
using BackupDr.Agent.MariaDb;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Specs;
using BackupDr.Sources;
using BackupDr.Sources.PostgreSql;
using BackupDr.Sources.Sqlite;

namespace BackupDr.Agent.Requests;

/// <summary>Looks whether a source of this host could be backed up.</summary>
static class SourceLook
{
    const int Most = 100;
    /// <summary>Stands for the slot of an item that is not there yet.</summary>
    const string NewSlot = "backupdr_new";

    /// <exception cref="BackupDrException">It cannot be looked at.</exception>
    public static async Task<IReadOnlyList<SourceFinding>> Check(SourceSpec? source, AgentState state, CancellationToken ct)
    {
        var findings = source switch
        {
            { Kind: SourceKind.Files } => [],
            { Kind: SourceKind.Sqlite, Sqlite: { } database } => SqliteFile.Preflight(database.Path.ToString(),
                database.Scratch?.ToString() ?? "/var/tmp"),
            { Kind: SourceKind.PostgreSql, PostgreSql: { } cluster }
                => await ClusterPreflight.Run(ClusterAddress.Of(cluster), new ClusterPreflightOptions
                {
                    Slot = cluster.Log is null ? null : NewSlot,
                    DataFolder = cluster.DataFolder?.ToString(),
                    Scratch = cluster.Scratch?.ToString() ?? TemporaryClusterOptions.DefaultFolder,
                    Journal = cluster.Log is null ? null : state.JournalFolder,
                }, ct),
            { Kind: SourceKind.MariaDb, MariaDb: { } server }
                => await ServerPlace.Look(server, ServerPlace.Of(server), server.Log is not null, ct),
            _ => throw new BadInputException("source", $"The source kind {source?.Kind} is unknown to this agent.",
                "Install the agent of the node's version."),
        };
        return [.. findings.Take(Most).Select(finding => new SourceFinding(finding.Code, finding.Message, finding.Remedy,
            finding.Severity switch
            {
                FindingSeverity.Blocking => SourceSeverity.Blocking,
                FindingSeverity.Warning => SourceSeverity.Warning,
                _ => SourceSeverity.Note,
            }))];
    }
}
