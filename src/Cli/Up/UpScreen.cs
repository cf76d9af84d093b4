using System.Globalization;
using System.Text.Json;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Evidence;

namespace BackupDr.Cli.Up;

/// <summary>The one screen at the end of <c>up</c>, or its JSON twin.</summary>
static class UpScreen
{
    public static void Show(Output output, DataFolder data, IReadOnlyList<UpOutcome> outcomes, EvidenceVerdict? evidence,
        string console, string? oneTimePassword)
    {
        output.Line();
        foreach (var outcome in outcomes) Show(output, data, outcome);
        if (evidence is not null)
            output.Line($"  Evidence         {Output.Count(evidence.Records, "signed record")} in {data.EvidenceFile}"
                + (evidence.Holds ? "" : $", which DOES NOT VERIFY: {evidence.Problems[0].Text}"));
        output.Line($"  Console          {console}");
        output.Line(oneTimePassword is null ? "  Sign in          as admin, with the password chosen before"
            : $"  Sign in          as admin, one-time password: {oneTimePassword}");
        output.Line();
        output.Json(json => Write(json, data, outcomes, evidence, console, oneTimePassword));
    }

    static void Show(Output output, DataFolder data, UpOutcome outcome)
    {
        var (backup, proof) = (outcome.Point.Backup, outcome.Proof);
        output.Line($"  Protected        {outcome.Item.Name}: {Files(backup.Files)}, {Output.Size(backup.Bytes)}");
        var missingWords = outcome.Point.IsComplete ? ""
            : $", INCOMPLETE: {Output.Count(backup.MissingCount, "entry is", "entries are")} missing";
        var taken = outcome.Point.TakenAt.UtcDateTime.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);
        output.Line($"  Recovery point   {taken} UTC, snapshot {outcome.Point.SnapshotId[..8]}{missingWords}");
        output.Line($"  Deduplicated     {Output.Size(backup.BytesNew)} new, {Output.Size(backup.BytesAdded)} stored");
        foreach (var missing in backup.Missing.Take(10)) output.Line($"    missing        {missing.Path}: {missing.Message}");
        output.Line(proof.Result == ProofResult.Proven
            ? $"  Proof            Proven: restored in {proof.RestoreSeconds:0.0} s, {Files(proof.FilesCompared)} equal to the snapshot, "
                + $"{proof.LiveEqual} to the live source{(proof.LiveChanged > 0 ? $", {proof.LiveChanged} changed there since" : "")}"
            : $"  Proof            {proof.Result}: {proof.Reason}");
        output.Line("  Without us       " + Command(data, outcome));
    }

    static string Files(long count) => count == 1 ? "1 file" : $"{count} files";

    static string Command(DataFolder data, UpOutcome outcome) => $"restic -r '{outcome.Repository.Url}' --password-file "
        + $"'{data.RepositoryPasswordFile}' restore latest --target DIR";

    static void Write(Utf8JsonWriter json, DataFolder data, IReadOnlyList<UpOutcome> outcomes, EvidenceVerdict? evidence, string console,
        string? oneTimePassword)
    {
        json.WriteStartObject();
        if (outcomes.Count > 0)
        {
            var last = outcomes[^1];
            json.WriteString("snapshotId", last.Point.SnapshotId);
            json.WriteString("repository", last.Repository.Url);
            json.WriteString("passwordFile", data.RepositoryPasswordFile);
            json.WriteNumber("files", last.Point.Backup.Files);
            json.WriteNumber("bytes", last.Point.Backup.Bytes);
            json.WriteNumber("newBytes", last.Point.Backup.BytesNew);
            json.WriteNumber("addedBytes", last.Point.Backup.BytesAdded);
            json.WriteBoolean("isComplete", last.Point.IsComplete);
            json.WriteNumber("missing", last.Point.Backup.MissingCount);
            json.WriteStartObject("proof");
            json.WriteString("result", last.Proof.Result.ToString());
            if (last.Proof.Reason is { } reason) json.WriteString("reason", reason);
            json.WriteNumber("filesCompared", last.Proof.FilesCompared);
            json.WriteNumber("liveEqual", last.Proof.LiveEqual);
            json.WriteNumber("liveChanged", last.Proof.LiveChanged);
            json.WriteNumber("seconds", last.Proof.Seconds);
            json.WriteEndObject();
            json.WriteStartArray("protected");
            foreach (var outcome in outcomes) json.WriteStringValue(outcome.Item.Name);
            json.WriteEndArray();
            json.WriteString("restoreCommand", Command(data, last));
        }
        if (evidence is not null)
        {
            json.WriteStartObject("evidence");
            json.WriteString("file", data.EvidenceFile);
            json.WriteNumber("records", evidence.Records);
            json.WriteBoolean("holds", evidence.Holds);
            json.WriteString("fingerprint", evidence.Fingerprint);
            json.WriteEndObject();
        }
        json.WriteString("consoleUrl", console);
        json.WriteString("user", "admin");
        if (oneTimePassword is not null) json.WriteString("oneTimePassword", oneTimePassword);
        json.WriteString("data", data.Root);
        json.WriteEndObject();
    }
}
