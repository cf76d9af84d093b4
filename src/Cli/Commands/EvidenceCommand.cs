using System.CommandLine;
using BackupDr.Cli.Up;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Evidence;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr evidence export|verify</c>.</summary>
static class EvidenceCommand
{
    public static Command Make() => new("evidence", "Export the signed records of drills, restores and repairs, and verify an export.")
    {
        Export(), Verify(),
    };

    static Command Export()
    {
        var file = new Argument<string>("FILE") { Description = "Where the export is written." };
        var url = new Option<string>("--url") { Description = "Address of the console.", Required = true };
        var key = new Option<string>("--api-key-file") { Description = "File that holds an API key.", Required = true };
        var since = new Option<DateTimeOffset?>("--since") { Description = "Only records from this moment on." };
        var until = new Option<DateTimeOffset?>("--until") { Description = "Only records before this moment." };
        var json = new Option<bool>("--json") { Description = "Print JSON." };
        var command = new Command("export", "Ask a node for its evidence, write it to a file, and verify what came.")
        {
            file, url, key, since, until, json,
        };
        command.SetAction(async (given, ct) =>
        {
            using var secret = NodeArguments.Key(given.GetValue(key)!);
            using var api = new ApiClient(NodeArguments.Address(given.GetValue(url)!), secret);
            var path = Path.GetFullPath(given.GetValue(file)!);
            var wanted = new ExportEvidenceRequest(given.GetValue(since), given.GetValue(until));
            var verdict = await EvidenceExport.Write(api, wanted, path, ct);
            return Tell(new Output(given.GetValue(json), quiet: false), verdict, path, pinned: false);
        });
        return command;
    }

    static Command Verify()
    {
        var file = new Argument<string>("FILE") { Description = "An export." };
        var key = new Option<string?>("--fingerprint")
        {
            Description = "The key that must have signed it: 64 hex characters, as the console shows them.",
        };
        var json = new Option<bool>("--json") { Description = "Print JSON." };
        var command = new Command("verify", "Verify an export without a node and without a network: name each record that was changed, "
            + "left out, added or moved. Exit code 21 if one was.") { file, key, json };
        command.SetAction(async (given, ct) =>
        {
            var path = Path.GetFullPath(given.GetValue(file)!);
            var wanted = given.GetValue(key)?.ToLowerInvariant();
            if (wanted is not null && (wanted.Length != 64 || !wanted.All(char.IsAsciiHexDigit)))
                throw new BadInputException("fingerprint", $"'{wanted}' is no fingerprint.", "Write the 64 hex characters of the console.");
            var verdict = await EvidenceExport.Read(path, ct);
            if (wanted is not null && verdict.Fingerprint != wanted)
                verdict = verdict with
                {
                    Problems = [new EvidenceProblem(1, null, $"the file is signed with the key {verdict.Fingerprint ?? "of nobody"}, not "
                        + $"with {wanted}."), .. verdict.Problems],
                };
            return Tell(new Output(given.GetValue(json), quiet: false), verdict, path, wanted is not null);
        });
        return command;
    }

    static int Tell(Output output, EvidenceVerdict verdict, string path, bool pinned)
    {
        output.Json(json =>
        {
            json.WriteStartObject();
            json.WriteString("file", path);
            json.WriteBoolean("holds", verdict.Holds);
            json.WriteNumber("records", verdict.Records);
            if (verdict.From is { } from) json.WriteNumber("from", from);
            if (verdict.To is { } to) json.WriteNumber("to", to);
            if (verdict.ChainSeq is { } chain) json.WriteNumber("chain", chain);
            if (verdict.Hash is { Length: > 0 } hash) json.WriteString("hash", hash);
            if (verdict.Fingerprint is { } fingerprint) json.WriteString("fingerprint", fingerprint);
            json.WriteStartArray("problems");
            foreach (var problem in verdict.Problems)
            {
                json.WriteStartObject();
                json.WriteNumber("line", problem.Line);
                if (problem.Record is { } record) json.WriteNumber("record", record);
                json.WriteString("message", problem.Text);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        });
        foreach (var problem in verdict.Problems) output.Line($"{path}: {problem.Text}");
        if (!verdict.Holds)
        {
            output.Line($"{path} is not as it was signed: {Output.Count(verdict.Problems.Count, "problem")}.");
            return ExitCodes.Altered;
        }
        output.Line($"{path}: {Output.Count(verdict.Records, "record")}, unchanged and complete, signed with the key "
            + $"{verdict.Fingerprint}.");
        if (verdict.To is { } last && verdict.ChainSeq > last)
            output.Line($"It is a part: when it was made ({verdict.MadeAt}) there were records up to number {verdict.ChainSeq}.");
        if (!pinned) output.Line("Whose key that is the file cannot prove: compare it with the one that the console shows under Evidence.");
        return ExitCodes.Done;
    }
}
