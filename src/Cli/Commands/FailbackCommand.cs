using System.CommandLine;
using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr runbook failback</c>.</summary>
static class FailbackCommand
{
    public static Command Make()
    {
        var name = new Argument<string>("RUNBOOK") { Description = "Name or id of the runbook that went there." };
        var called = new Option<string?>("--name") { Description = "Name of the new runbook; by default the other's with '-back'." };
        var hosts = Pairs("--host", "AT=TO", "The host TO takes over again from the host AT. May be repeated.");
        hosts.Required = true;
        var from = Pairs("--from", "AT=[USER@]ADDRESS[:PORT]",
            "The database server on AT as TO reaches it, and the role to follow it with.");
        var own = Pairs("--cluster", "AT=ADDRESS[:PORT]", "The database server on TO as TO reaches it; by default the same as on AT.");
        var back = Pairs("--back", "AT=[USER@]ADDRESS[:PORT]", "The database server on TO as AT reaches it: AT follows it afterwards.");
        var unit = Pairs("--unit", "AT=SERVICE", "Service of the database server on AT, stopped in order before TO takes over.");
        var json = new Option<bool>("--json") { Description = "Print JSON." };
        var node = new NodeArguments();
        var command = node.On(new Command("failback", "Make the runbook of the way back.")
        { name, called, hosts, from, own, back, unit, json });
        command.SetAction(async (given, ct) =>
        {
            var (froms, owns) = (Read(given.GetValue(from), "--from"), Read(given.GetValue(own), "--cluster"));
            var (backs, units) = (Read(given.GetValue(back), "--back"), Read(given.GetValue(unit), "--unit"));
            using var api = node.Open(given);
            var there = RunbookCommand.Find(await api.Runbooks(ct), given.GetValue(name)!);
            var made = await api.MakeFailback(new MakeFailbackRequest(there.Id, given.GetValue(called),
                [.. Read(given.GetValue(hosts), "--host").Select(pair => new FailbackHost
                {
                    At = pair.Key,
                    To = pair.Value,
                    From = Server(froms.GetValueOrDefault(pair.Key), "--from"),
                    Cluster = Server(owns.GetValueOrDefault(pair.Key), "--cluster"),
                    Back = Server(backs.GetValueOrDefault(pair.Key), "--back"),
                    Unit = units.GetValueOrDefault(pair.Key),
                })]), ct);
            var output = new Output(given.GetValue(json), quiet: false);
            output.Line($"{made.Name}: {Output.Count(made.Spec.Steps.Count, "step")}, to be looked at and rehearsed.");
            foreach (var step in made.Spec.Steps) output.Line($"    {step.Name}  {step.Kind}  {step.Approval?.Asks}".TrimEnd());
            foreach (var problem in made.Problems) output.Line($"{problem.Place}: {problem.Problem} {problem.Advice}");
            output.Json(writer => System.Text.Json.JsonSerializer.Serialize(writer, made, WireJson.Default.Runbook));
            return ExitCodes.Done;
        });
        return command;
    }

    static Option<string[]> Pairs(string name, string form, string what) => new(name) { Description = what, HelpName = form };

    static Dictionary<string, string> Read(string[]? given, string option)
    {
        var pairs = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var text in given ?? [])
            if (text.Split('=', 2) is not [{ Length: > 0 } at, { Length: > 0 } value] || !pairs.TryAdd(at, value))
                throw new BadInputException(option, $"'{text}' is not AT=…, once for each host.", "For example --host db-b=db-a");
        return pairs;
    }

    static PostgreSqlSpec? Server(string? text, string option)
    {
        if (text is null) return null;
        var (user, rest) = text.Split('@', 2) is [{ Length: > 0 } role, var address] ? (role, address) : (new PostgreSqlSpec().User, text);
        var colon = rest.LastIndexOf(':');
        if (colon < 0) return new PostgreSqlSpec { Host = rest, User = user };
        return int.TryParse(rest.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var port)
            && port is > 0 and < 65536
            ? new PostgreSqlSpec { Host = rest[..colon], Port = port, User = user }
            : throw new BadInputException(option, $"'{text}' names no server.", "For example replicator@10.2.0.5:5432");
    }
}
