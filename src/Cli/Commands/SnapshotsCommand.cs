using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using BackupDr.Engine.Format;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr snapshots</c>.</summary>
static class SnapshotsCommand
{
    public static Command Make()
    {
        var command = new Command("snapshots", "List the snapshots of a repository, oldest first.");
        var repository = new RepositoryArguments(command);
        var which = new SnapshotArguments(command);
        command.SetAction(async (given, ct) =>
        {
            var output = repository.Output(given);
            using var opened = await repository.Open(given, ct);
            var snapshots = await opened.Snapshots(which.Filter(given), ct);
            Table(output, snapshots);
            output.Json(json =>
            {
                json.WriteStartArray();
                foreach (var snapshot in snapshots) Write(json, snapshot);
                json.WriteEndArray();
            });
            return ExitCodes.Done;
        });
        return command;
    }

    static void Table(Output output, IReadOnlyList<Snapshot> snapshots)
    {
        if (snapshots.Count == 0) { output.Line("No snapshots."); return; }
        var host = Math.Max(4, snapshots.Max(snapshot => snapshot.HostName.Length));
        var tags = Math.Max(4, snapshots.Max(snapshot => string.Join(',', snapshot.Tags).Length));
        output.Line($"{"ID",-8}  {"Time (UTC)",-19}  {"Host".PadRight(host)}  {"Tags".PadRight(tags)}  Paths");
        foreach (var snapshot in snapshots)
        {
            var time = snapshot.Time.ToDateTimeOffset().UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);
            output.Line($"{snapshot.ShortId}  {time}  {snapshot.HostName.PadRight(host)}  "
                + $"{string.Join(',', snapshot.Tags).PadRight(tags)}  " + string.Join("  ", snapshot.Paths));
        }
        output.Note($"{snapshots.Count} snapshots");
    }

    /// <summary>The stored JSON with restic's two ids, so that scripts for restic read it.</summary>
    public static void Write(Utf8JsonWriter json, Snapshot snapshot)
    {
        json.WriteStartObject();
        using (var stored = JsonDocument.Parse(SnapshotFile.Write(snapshot)))
            foreach (var member in stored.RootElement.EnumerateObject()) member.WriteTo(json);
        json.WriteString("id", snapshot.Id.ToString());
        json.WriteString("short_id", snapshot.ShortId);
        json.WriteEndObject();
    }
}
