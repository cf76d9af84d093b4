using System.Text.Json;
using BackupDr.Engine.Backup;
using BackupDr.Sources;

namespace BackupDr.Cli.Commands;

/// <summary>What the commands of all database engines, and of volumes, say alike.</summary>
static class DatabaseOutput
{
    /// <summary>What was found on this host.</summary>
    /// <param name="output">Where to.</param>
    /// <param name="found">What.</param>
    /// <param name="none">The line where nothing was found.</param>
    /// <param name="words">The line of one.</param>
    /// <param name="members">Writes the members of one's JSON object.</param>
    /// <returns>The exit code.</returns>
    public static int Found<T>(Output output, IReadOnlyList<T> found, string none, Func<T, string> words, Action<Utf8JsonWriter, T> members)
    {
        if (found.Count == 0) output.Line(none);
        foreach (var one in found) output.Line(words(one));
        output.Json(writer =>
        {
            writer.WriteStartArray();
            foreach (var one in found)
            {
                writer.WriteStartObject();
                members(writer, one);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
        });
        return ExitCodes.Done;
    }

    /// <summary>The last line of a backup: its snapshot, and how much is wrong with it.</summary>
    public static void Saved(Output output, BackupSummary run)
        => output.Line($"Snapshot {run.SnapshotId.ToString()[..8]} saved"
            + (run.IsComplete ? "." : $", but {Output.Count(run.Missing.Count, "problem")} in it."));

    /// <summary>What stands in the way of backups, with what mends it.</summary>
    /// <returns>The exit code: 1 where something must be mended.</returns>
    public static int Findings(Output output, IReadOnlyList<Finding> findings)
    {
        if (findings.Count == 0) output.Line("Nothing stands in the way.");
        foreach (var finding in findings)
        {
            output.Line($"{(finding.Severity == FindingSeverity.Blocking ? "must" : "should")}: {finding.Message}");
            if (finding.Remedy is { } remedy) output.Line($"    {remedy}");
        }
        output.Json(writer =>
        {
            writer.WriteStartArray();
            foreach (var finding in findings)
            {
                writer.WriteStartObject();
                writer.WriteString("code", finding.Code);
                writer.WriteString("severity", finding.Severity.ToString().ToLowerInvariant());
                writer.WriteString("message", finding.Message);
                writer.WriteString("remedy", finding.Remedy);
                writer.WriteEndObject();
            }
            writer.WriteEndArray();
        });
        return findings.Any(finding => finding.Severity == FindingSeverity.Blocking) ? ExitCodes.Failed : ExitCodes.Done;
    }

    /// <summary>What a test restore showed.</summary>
    /// <returns>The exit code: 1 where a check failed.</returns>
    public static int Proof(Output output, ProofReport report)
    {
        foreach (var check in report.Checks) output.Line($"{(check.Passed ? "passed" : "FAILED")}  {check.Name}: {check.Detail}");
        output.Line($"{(report.IsProven ? "Proven" : "Not proven")}: restored in {Output.Time(report.RestoreTime)}, recovered in "
            + $"{Output.Time(report.StartTime)}, checked in {Output.Time(report.CheckTime)}.");
        output.Json(json =>
        {
            json.WriteStartObject();
            json.WriteString("message_type", "summary");
            json.WriteBoolean("proven", report.IsProven);
            json.WriteNumber("restore_seconds", report.RestoreTime.TotalSeconds);
            json.WriteNumber("recovery_seconds", report.StartTime.TotalSeconds);
            json.WriteNumber("check_seconds", report.CheckTime.TotalSeconds);
            json.WriteStartArray("checks");
            foreach (var check in report.Checks)
            {
                json.WriteStartObject();
                json.WriteString("name", check.Name);
                json.WriteBoolean("passed", check.Passed);
                json.WriteString("detail", check.Detail);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        });
        return report.IsProven ? ExitCodes.Done : ExitCodes.Failed;
    }
}
