using System.CommandLine;
using System.Text;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr apply</c>: makes policies, and runbooks among them, be as files say.</summary>
static class ApplyCommand
{
    static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
    static readonly string[] Endings = [".yaml", ".yml", ".json"];

    public static Command Make()
    {
        var files = new Option<string[]>("--file", "-f")
        {
            Description = "A file with documents, a folder of such files (also below it), or - for standard input. May be repeated.",
            Required = true,
        };
        var dry = new Option<bool>("--dry-run")
        {
            Description = "Say what would change and change nothing. Exit code 22 if something would.",
        };
        var prune = new Option<bool>("--prune")
        {
            Description = "Retire items that the documents do not name any longer, and remove policies that came from documents and have "
                + "none now. Recovery points stay. Wants a folder.",
        };
        var lose = new Option<string[]>("--lose-points")
        {
            Description = "Name of a policy whose change may make recovery points go. May be repeated.",
        };
        var json = new Option<bool>("--json") { Description = "Print JSON." };
        var node = new NodeArguments();
        var command = node.On(new Command("apply", "Make policies and runbooks be as documents say, all of them or none.")
        { files, dry, prune, lose, json });
        command.SetAction(async (given, ct) =>
        {
            var paths = given.GetValue(files)!;
            if (given.GetValue(prune) && !paths.Any(Directory.Exists))
                throw new BadInputException("prune", "--prune without a folder would remove every policy that these files do not name.",
                    "Give the folder that holds all documents.");
            var request = new ApplyPoliciesRequest
            {
                Files = [.. paths.SelectMany(Read)],
                DryRun = given.GetValue(dry),
                Prune = given.GetValue(prune),
                LosePoints = [.. given.GetValue(lose) ?? []],
            };
            using var api = node.Open(given);
            return Tell(new Output(given.GetValue(json), quiet: false), await api.Apply(request, ct));
        });
        return command;
    }

    /// <summary>The documents of a file, of a folder and what is below it, or of standard input.</summary>
    internal static IEnumerable<DocumentFile> Read(string path)
    {
        if (path == "-")
        {
            using var input = Console.OpenStandardInput();
            return [new DocumentFile("-", Text("-", input))];
        }
        try
        {
            if (!Directory.Exists(path))
            {
                using var file = File.OpenRead(path);
                return [new DocumentFile(path, Text(path, file))];
            }
            var found = Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories)
                .Where(file => Endings.Contains(Path.GetExtension(file), StringComparer.OrdinalIgnoreCase)).Order(StringComparer.Ordinal)
                .ToList();
            if (found.Count == 0) throw new BadInputException("file", $"There is no document in {path}.",
                $"Documents end with {string.Join(", ", Endings)}.");
            return [.. found.SelectMany(Read)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException("file", $"{path} cannot be read: {e.Message}", "Name a file or a folder with documents.");
        }
    }

    /// <summary>The text of a file that is one.</summary>
    static string Text(string name, Stream from)
    {
        var bytes = new MemoryStream();
        var buffer = new byte[64 * 1024];
        for (int read; (read = from.Read(buffer)) > 0;)
        {
            bytes.Write(buffer, 0, read);
            if (bytes.Length > ApplyPoliciesRequest.LongestFile)
                throw new BadInputException("file", $"{name} is longer than {Output.Size(ApplyPoliciesRequest.LongestFile)}, which no "
                    + "documents of policies are.", "Make several files of it, or name the right one.");
        }
        var all = bytes.GetBuffer().AsSpan(0, (int)bytes.Length);
        try { return Strict.GetString(all); }
        catch (DecoderFallbackException e)
        {
            // The exception counts from where the decoder began: here the beginning.
            var before = all[..Math.Clamp(e.Index, 0, all.Length)];
            var line = before.Count((byte)'\n') + 1;
            throw new BadInputException("file", $"{name}:{line}:{before.Length - before.LastIndexOf((byte)'\n')}: This is no UTF-8.",
                "Save the file as UTF-8.");
        }
    }

    static int Tell(Output output, PoliciesApplied applied)
    {
        output.Json(json =>
        {
            json.WriteStartObject();
            json.WriteString("message_type", "applied");
            json.WriteBoolean("dry_run", applied.IsDryRun);
            json.WriteBoolean("changes", applied.HasChanges);
            json.WritePropertyName("policies");
            System.Text.Json.JsonSerializer.Serialize(json, applied.Policies, WireJson.Default.IReadOnlyListAppliedPolicy);
            if (applied.Runbooks is { } books)
            {
                json.WritePropertyName("runbooks");
                System.Text.Json.JsonSerializer.Serialize(json, books, WireJson.Default.IReadOnlyListAppliedRunbook);
            }
            json.WriteEndObject();
        });
        foreach (var policy in applied.Policies) Tell(output, policy, applied.IsDryRun);
        foreach (var runbook in applied.Runbooks ?? []) Tell(output, runbook, applied.IsDryRun);
        var changed = applied.Policies.Count(policy => policy.Change != DocumentChange.None);
        if (applied.Policies.Count > 0) output.Line(changed == 0
            ? $"{Output.Count(applied.Policies.Count, "policy is", "policies are")} as documented."
            : applied.IsDryRun ? $"{Output.Count(changed, "policy", "policies")} of {applied.Policies.Count} would change. Nothing was "
                + $"changed."
            : $"{Output.Count(changed, "policy", "policies")} of {applied.Policies.Count} changed.");
        return applied is { IsDryRun: true, HasChanges: true } ? ExitCodes.WouldChange : ExitCodes.Done;
    }

    /// <summary>A runbook, and what its document does to it.</summary>
    internal static void Tell(Output output, AppliedRunbook runbook, bool isDry)
    {
        var (sign, word) = runbook.Change switch
        {
            DocumentChange.Create => ("+", isDry ? "would be created, and need a rehearsal" : "created, and needs a rehearsal"),
            DocumentChange.Edit => ("~", isDry ? $"would change to version {runbook.Version}, and need a rehearsal"
                : $"changed to version {runbook.Version}, and needs a rehearsal"),
            _ => ("=", "is as documented"),
        };
        output.Line($"{sign} runbook {runbook.Name}: {word} ({runbook.File})");
        foreach (var member in runbook.Members ?? []) output.Line("    " + Words(member));
    }

    static void Tell(Output output, AppliedPolicy policy, bool isDry)
    {
        var (sign, word) = policy.Change switch
        {
            DocumentChange.Create => ("+", isDry ? "would be created" : "created"),
            DocumentChange.Edit => ("~", isDry ? "would change" : "changed"),
            DocumentChange.Remove => ("-", isDry ? "would be removed; its recovery points stay" : "removed; its recovery points stay"),
            _ => ("=", "is as documented"),
        };
        output.Line($"{sign} {policy.Name}: {word}{(policy.File is { } file ? $" ({file})" : "")}");
        foreach (var member in policy.Members) output.Line("    " + Words(member));
        if (policy.Loss is { } loss)
            output.Line($"    {(isDry ? "would lose" : "loses")} {Output.Count(loss.Points, "recovery point")} of "
                + $"{string.Join(", ", loss.Items)}, the oldest of {loss.Oldest?.UtcDateTime:yyyy-MM-dd HH:mm}; the first goes for good on "
                + $"{loss.FirstGoesAt?.UtcDateTime:yyyy-MM-dd}{(isDry ? $"; needs --lose-points '{policy.Name}'" : "")}");
        foreach (var remark in policy.Remarks) output.Line($"    {remark}");
    }

    /// <summary>"spec.rpo: 24h → 1h".</summary>
    public static string Words(MemberChange change) => change switch
    {
        { From: null } => $"+ {change.Member}: {change.To}",
        { To: null } => $"- {change.Member}: {change.From}",
        _ => $"{change.Member}: {change.From} → {change.To}",
    };
}
