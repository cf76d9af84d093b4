using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;

namespace BackupDr.Cli.Commands.Access;

/// <summary><c>backupdr secret status|rotate</c>: the key that seals the secrets of an installation's database.</summary>
static class SecretCommand
{
    static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(2);

    public static Command Make() => new("secret", "The key that seals the secrets of an installation: show it, exchange it.")
    {
        Status(), Rotate(),
    };

    static Command Status()
    {
        var (node, json) = (new NodeArguments(), new Option<bool>("--json") { Description = "Print JSON." });
        var command = node.On(new Command("status", "Show since when the key is used, and how far an exchange of it is.") { json });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            Tell(new Output(given.GetValue(json), quiet: false), await api.SecretRotation(ct));
            return ExitCodes.Done;
        });
        return command;
    }

    static Command Rotate()
    {
        var (node, json) = (new NodeArguments(), new Option<bool>("--json") { Description = "Print JSON." });
        var wait = new Option<bool>("--wait") { Description = "Return once everything is sealed with the new key." };
        var command = node.On(new Command("rotate", "Exchange the key, and seal everything anew with the next one while all nodes go on. "
            + "An exchange that is under way goes on.") { wait, json });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var output = new Output(given.GetValue(json), quiet: false);
            var state = await api.RotateSecrets(ct);
            var told = "";
            while (given.GetValue(wait) && state.Step != RotationStep.None)
            {
                if (Words(state) is var words && words != told) output.Remark(told = words);
                await Task.Delay(LookEvery, TimeProvider.System, ct);
                state = await api.SecretRotation(ct);
            }
            Tell(output, state);
            return ExitCodes.Done;
        });
        return command;
    }

    static void Tell(Output output, SecretRotation state)
    {
        output.Line(Words(state));
        output.Json(json => JsonSerializer.Serialize(json, state, WireJson.Default.SecretRotation));
    }

    static string Words(SecretRotation state) => state.Step switch
    {
        RotationStep.None => $"{Output.Count(state.Sealed, "value is", "values are")} sealed with the key of "
            + $"{state.UsedSince.UtcDateTime.ToString("yyyy-MM-dd HH:mm", CultureInfo.InvariantCulture)} UTC.",
        RotationStep.HandOver => $"The nodes are given the next key.{WaitsFor(state)}",
        RotationStep.Switch => $"The nodes begin to seal with the next key.{WaitsFor(state)}",
        _ => $"{Output.Count(state.Remaining, "value is", "values are")} still to be sealed anew.",
    };

    static string WaitsFor(SecretRotation state) => state.WaitsFor.Count == 0 ? ""
        : $" Waits for {string.Join(", ", state.WaitsFor)}: start it, or forget it with 'backupdr node remove'.";
}
