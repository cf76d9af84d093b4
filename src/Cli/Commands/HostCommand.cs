using System.CommandLine;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Rules.Assignment;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr host list|label|approve|refuse</c>.</summary>
static class HostCommand
{
    public static Command Make() => new("host", "List hosts, let those in that wait for it, and give them labels, by which rules of "
        + "policies choose them.")
    {
        List(), Label(), Approve(), Refuse(),
    };

    static Command List()
    {
        var which = new Option<string>("--labels", "-l")
        {
            Description = "Only hosts with these labels: 'site=berlin,tier!=test'.",
            DefaultValueFactory = _ => "",
        };
        var waiting = new Option<bool>("--waiting") { Description = "Only hosts that have joined and wait for approval." };
        var json = new Option<bool>("--json") { Description = "Print JSON." };
        var node = new NodeArguments();
        var command = node.On(new Command("list", "List hosts with their labels.") { which, waiting, json });
        command.SetAction(async (given, ct) =>
        {
            var selector = LabelSelector.Parse(given.GetValue(which)!, "labels");
            using var api = node.Open(given);
            var output = new Output(given.GetValue(json), quiet: false);
            foreach (var host in await api.Hosts(ct))
            {
                if (given.GetValue(waiting) && host.State != HostState.Waiting) continue;
                var labels = new Dictionary<string, string>(host.Labels ?? new Dictionary<string, string>());
                if (selector.Holds(new Dictionary<string, string>(labels) { [LabelSelector.HostKey] = host.Name })) Tell(output, host);
            }
            return ExitCodes.Done;
        });
        return command;
    }

    static Command Label()
    {
        var name = new Argument<string>("HOST") { Description = "Name or id of a host." };
        var changes = new Argument<string[]>("LABELS")
        {
            Description = "KEY=VALUE to set, KEY- to take away. None: only show.",
            Arity = ArgumentArity.ZeroOrMore,
        };
        var json = new Option<bool>("--json") { Description = "Print JSON." };
        var node = new NodeArguments();
        var command = node.On(new Command("label", "Set or take away labels of a host.") { name, changes, json });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var host = Find(await api.Hosts(ct), given.GetValue(name)!);
            var labels = new Dictionary<string, string>(host.Labels ?? new Dictionary<string, string>());
            foreach (var change in given.GetValue(changes) ?? [])
                if (change.EndsWith('-') && !change.Contains('=', StringComparison.Ordinal)) labels.Remove(change[..^1]);
                else
                {
                    var (key, value) = HostLabels.Parse(change);
                    labels[key] = value;
                }
            if (given.GetValue(changes) is { Length: > 0 }) host = await api.SetLabels(new SetHostLabelsRequest(host.Id, labels), ct);
            Tell(new Output(given.GetValue(json), quiet: false), host);
            return ExitCodes.Done;
        });
        return command;
    }

    static Command Approve() => Decide("approve", "Let hosts in that have joined and wait for it: they get work from now on.",
        async (api, host, output, ct) => Tell(output, await api.ApproveHost(new ApproveHostRequest(host.Id), ct)));

    static Command Refuse() => Decide("refuse", "Turn hosts away that have joined and wait: their certificates are refused from now on.",
        async (api, host, output, ct) =>
        {
            await api.RefuseHost(new RefuseHostRequest(host.Id), ct);
            Tell(output, host with { State = HostState.Retired });
        });

    static Command Decide(string verb, string description, Func<ApiClient, Host, Output, CancellationToken, Task> decide)
    {
        var names = new Argument<string[]>("HOST") { Description = "Names or ids of hosts.", Arity = ArgumentArity.OneOrMore };
        var json = new Option<bool>("--json") { Description = "Print JSON." };
        var node = new NodeArguments();
        var command = node.On(new Command(verb, description) { names, json });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var (all, output) = (await api.Hosts(ct), new Output(given.GetValue(json), quiet: false));
            // Every name is looked up before anything is done: a typing error decides about nobody.
            foreach (var host in given.GetValue(names)!.Select(name => Find(all, name)).ToList()) await decide(api, host, output, ct);
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>The host of a name or an id.</summary>
    /// <exception cref="BadInputException">There is none, or there are several.</exception>
    public static Host Find(IReadOnlyList<Host> hosts, string name)
    {
        List<Host> found = [.. hosts.Where(host => host.Id.ToString() == name)];
        if (found.Count == 0) found = [.. hosts.Where(host => host.State != HostState.Retired
            && string.Equals(host.Name, name, StringComparison.OrdinalIgnoreCase))];
        return found switch
        {
            [var only] => only,
            [] => throw new BadInputException("host", $"There is no host '{name}'.", "'backupdr host list' names them."),
            _ => throw new BadInputException("host", $"{found.Count} hosts are named '{name}'.",
                $"Write the id: {string.Join(", ", found.Take(5).Select(host => host.Id))}"),
        };
    }

    static void Tell(Output output, Host host)
    {
        var labels = (host.Labels ?? new Dictionary<string, string>()).OrderBy(label => label.Key, StringComparer.Ordinal).ToList();
        output.Line($"{host.Name}  {host.State}  {(labels.Count == 0 ? "(no labels)"
            : string.Join(", ", labels.Select(label => $"{label.Key}={label.Value}")))}");
        output.Json(json =>
        {
            json.WriteStartObject();
            json.WriteString("message_type", "host");
            json.WriteString("id", host.Id.ToString());
            json.WriteString("name", host.Name);
            json.WriteString("state", host.State.ToString());
            json.WriteStartObject("labels");
            foreach (var (key, value) in labels) json.WriteString(key, value);
            json.WriteEndObject();
            json.WriteEndObject();
        });
    }
}
