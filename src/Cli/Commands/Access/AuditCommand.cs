using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Evidence;

namespace BackupDr.Cli.Commands.Access;

/// <summary><c>backupdr audit verify|export</c>.</summary>
static class AuditCommand
{
    public static Command Make() => new("audit", "Verify the audit log of an installation, or an export of it.") { Export(), Verify() };

    static Command Export()
    {
        var (node, json) = (new NodeArguments(), new Option<bool>("--json") { Description = "Print JSON." });
        var file = new Argument<string>("FILE") { Description = "Where the export is written." };
        var command = node.On(new Command("export", "Write the audit log to a file, and verify what came.") { file, json });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var path = Path.GetFullPath(given.GetValue(file)!);
            await PrivateExport.Write(path, "The audit log", into => api.ExportAudit(into, ct));
            return Tell(new Output(given.GetValue(json), quiet: false), await Read(path, [], ct), path, isPinned: false);
        });
        return command;
    }

    static Command Verify()
    {
        var (node, json) = (new NodeArguments(), new Option<bool>("--json") { Description = "Print JSON." });
        var file = new Argument<string?>("FILE")
        {
            Description = "An export, which is verified without a node; without it a node verifies its own log.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var evidence = new Option<string?>("--evidence")
        {
            Description = "An export of the evidence: the heads of the audit log that it records have to be in FILE.",
        };
        var key = new Option<string?>("--fingerprint") { Description = "The key that must have signed it: 64 hex characters." };
        var command = node.On(new Command("verify", "Name each entry that was changed, deleted, moved or cut off. Exit code 21 if one was.")
        {
            file, evidence, key, json,
        });
        command.SetAction(async (given, ct) =>
        {
            var output = new Output(given.GetValue(json), quiet: false);
            if (given.GetValue(file) is not { } name)
            {
                using var api = node.Open(given);
                return Tell(output, await api.VerifyAudit(ct));
            }
            var path = Path.GetFullPath(name);
            var verdict = await Read(path, given.GetValue(evidence) is { } heads ? await Anchors(heads, ct) : [], ct);
            if (given.GetValue(key)?.ToLowerInvariant() is { } wanted && wanted != verdict.Fingerprint)
                verdict = verdict with
                {
                    Problems = [new AuditProblem(0, $"The file is signed with the key {verdict.Fingerprint}, not with {wanted}."),
                        .. verdict.Problems],
                };
            return Tell(output, verdict, path, given.GetValue(key) is not null);
        });
        return command;
    }

    static async Task<AuditFileVerdict> Read(string path, IReadOnlyList<(long Seq, string Hash)> anchors, CancellationToken ct)
    {
        try
        {
            using var opened = File.OpenText(path);
            return await AuditFileCheck.Run(opened, anchors, ct);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException("file", $"{path} cannot be read: {e.Message}", "Name an export of an audit log.");
        }
    }

    /// <summary>The heads of the audit log that an export of the evidence records. That file has to hold itself.</summary>
    static async Task<IReadOnlyList<(long Seq, string Hash)>> Anchors(string file, CancellationToken ct)
    {
        if (!(await Up.EvidenceExport.Read(Path.GetFullPath(file), ct)).Holds)
            throw new BadInputException("evidence", $"{file} is not as it was signed.", "See: backupdr evidence verify");
        var heads = new List<(long, string)>();
        foreach (var line in await File.ReadAllLinesAsync(file, ct))
        {
            using var document = JsonDocument.Parse(line);
            if (!document.RootElement.TryGetProperty("record", out var record)
                || record.GetProperty("kind").GetString() != AuditChain.AnchorKind) continue;
            var facts = JsonSerializer.Deserialize(record.GetProperty("body").GetString()!, WireJson.Default.EvidenceBody);
            if (facts is { AuditHash: { } hash, AuditSeq: { } seq })
                heads.Add((long.Parse(seq, NumberStyles.None, CultureInfo.InvariantCulture), hash));
        }
        return heads;
    }

    static int Tell(Output output, AuditVerdict verdict)
    {
        output.Json(json => JsonSerializer.Serialize(json, verdict, WireJson.Default.AuditVerdict));
        foreach (var problem in verdict.Problems) output.Line(problem.Text);
        output.Line(verdict.Problems.Count == 0
            ? $"{Output.Count(verdict.Entries, "entry", "entries")}, unchanged and complete; {Output.Count(verdict.Anchors, "head")} "
                + "recorded in "
                + $"the evidence fit. The last hash is {verdict.HeadHash}."
            : $"The audit log is not as it was written: {Output.Count(verdict.Problems.Count, "problem")}.");
        return verdict.Problems.Count == 0 ? ExitCodes.Done : ExitCodes.Altered;
    }

    static int Tell(Output output, AuditFileVerdict verdict, string path, bool isPinned)
    {
        output.Json(json =>
        {
            json.WriteStartObject();
            json.WriteString("file", path);
            json.WriteBoolean("holds", verdict.Problems.Count == 0);
            json.WriteNumber("entries", verdict.Entries);
            json.WriteNumber("head", verdict.Seq);
            json.WriteString("hash", verdict.Hash);
            json.WriteString("fingerprint", verdict.Fingerprint);
            json.WriteStartArray("problems");
            foreach (var problem in verdict.Problems)
            {
                json.WriteStartObject();
                json.WriteNumber("entry", problem.Entry);
                json.WriteString("text", problem.Text);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        });
        foreach (var problem in verdict.Problems) output.Line($"{path}: {problem.Text}");
        output.Line(verdict.Problems.Count > 0 ? $"{path} is not as it was written: {Output.Count(verdict.Problems.Count, "problem")}."
            : $"{path}: {Output.Count(verdict.Entries, "entry", "entries")}, unchanged and complete, signed with the key "
                + $"{verdict.Fingerprint}.");
        if (verdict.Problems.Count == 0 && !isPinned)
            output.Line("Whose key that is the file cannot prove: compare it with the one that the console shows under Evidence.");
        return verdict.Problems.Count == 0 ? ExitCodes.Done : ExitCodes.Altered;
    }
}
