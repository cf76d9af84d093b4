using System.CommandLine;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr runbook secrets list|set|remove</c>: what steps of runbooks name and nobody reads.</summary>
static class RunbookSecretsCommand
{
    const int Longest = 8_192;

    public static Command Make() => new("secrets", "Secrets that steps of runbooks name. None is ever printed.")
    {
        List(), Set(), Remove(),
    };

    static Argument<string> Name() => new("NAME") { Description = "A lower-case letter, then such letters, digits and hyphens." };

    static Command List()
    {
        var (json, node) = (new Option<bool>("--json") { Description = "Print JSON." }, new NodeArguments());
        var command = node.On(new Command("list", "List their names, and when each was last stored.") { json });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var found = await api.StepSecrets(ct);
            var output = new Output(given.GetValue(json), quiet: false);
            foreach (var one in found) output.Line($"{one.Name,-40}  {one.ChangedAt.UtcDateTime:yyyy-MM-dd HH:mm}");
            output.Json(writer => System.Text.Json.JsonSerializer.Serialize(writer, found, WireJson.Default.IReadOnlyListStepSecret));
            return ExitCodes.Done;
        });
        return command;
    }

    static Command Set()
    {
        var (name, node) = (Name(), new NodeArguments());
        var file = new Option<string>("--file")
        {
            Description = "A file that holds it, or - for standard input. One line's end after it does not belong to it.",
            Required = true,
        };
        var command = node.On(new Command("set", "Store a secret, sealed; one that is there is replaced.") { name, file });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var value = await Read(given.GetValue(file)!, ct);
            var saved = await api.SaveStepSecret(new SaveStepSecretRequest { Name = given.GetValue(name)!, Value = value }, ct);
            new Output(json: false, quiet: false).Line($"{saved.Name} is stored.");
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>Never an argument: those stand in the list of processes and in the shell's history.</summary>
    static async Task<string> Read(string path, CancellationToken ct)
    {
        try
        {
            using var from = path == "-" ? Console.In : new StreamReader(path);
            var buffer = new char[Longest + 3];   // and its line's end
            var length = await from.ReadBlockAsync(buffer, ct);
            var text = new string(buffer, 0, length);
            text = text.EndsWith("\r\n", StringComparison.Ordinal) ? text[..^2] : text.EndsWith('\n') ? text[..^1] : text;
            return text.Length is > 0 and <= Longest ? text
                : throw new BadInputException("file", text.Length == 0 ? $"{path} is empty."
                    : $"{path} is longer than {Longest} characters.", "It holds the secret and nothing else.");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException("file", $"{path} cannot be read: {e.Message}", "Name a file that holds the secret.");
        }
    }

    static Command Remove()
    {
        var (name, node) = (Name(), new NodeArguments());
        var command = node.On(new Command("remove", "Remove a secret. Steps that name it fail from then on.") { name });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            await api.RemoveStepSecret(given.GetValue(name)!, ct);
            new Output(json: false, quiet: false).Line($"{given.GetValue(name)} is removed.");
            return ExitCodes.Done;
        });
        return command;
    }
}
