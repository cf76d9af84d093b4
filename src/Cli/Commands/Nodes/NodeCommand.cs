using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using BackupDr.Contracts.Api;

namespace BackupDr.Cli.Commands.Nodes;

/// <summary><c>backupdr node add|join|list|drain|remove</c>: the nodes of an installation.</summary>
sealed class NodeCommand
{
    readonly NodeArguments _node = new();
    readonly Option<bool> _json = new("--json") { Description = "Print JSON." };

    public static Command Make()
    {
        var made = new NodeCommand();
        return new Command("node", "Add a node to an installation, list its nodes, empty one, forget one.")
        {
            made.Add(), NodeJoining.Make(), made.List(), made.Drain(), made.Remove(),
        };
    }

    Command Add()
    {
        var command = _node.On(new Command("add", "Print the one command that lets a further node in. It works once, within half an "
            + "hour."));
        command.Add(_json);
        command.SetAction(async (given, ct) =>
        {
            using var api = _node.Open(given);
            var token = await api.CreateNodeToken(ct);
            var output = new Output(given.GetValue(_json), quiet: false);
            output.Line($"Run this as root on the new machine, where the same version of backupdr is installed, before "
                + $"{token.ExpiresAt.ToLocalTime().ToString("HH:mm", CultureInfo.InvariantCulture)}:");
            output.Line($"  {token.Command}");
            if (token.Remark is { } remark) output.Line($"Note: {remark}");
            output.Json(json =>
            {
                json.WriteStartObject();
                json.WriteString("message_type", "node_token");
                json.WriteString("command", token.Command);
                json.WriteString("expires_at", token.ExpiresAt);
                if (token.Remark is not null) json.WriteString("remark", token.Remark);
                json.WriteEndObject();
            });
            return ExitCodes.Done;
        });
        return command;
    }

    Command List()
    {
        var command = _node.On(new Command("list", "List the nodes: state, version, since when, and what each holds."));
        command.Add(_json);
        command.SetAction(async (given, ct) =>
        {
            using var api = _node.Open(given);
            var nodes = await api.Nodes(ct);
            var output = new Output(given.GetValue(_json), quiet: false);
            foreach (var node in nodes)
                output.Line($"{node.Name,-20} {node.State,-9} {node.Version,-12} since "
                    + $"{node.StartedAt.UtcDateTime.ToString("yyyy-MM-dd HH:mm'Z'", CultureInfo.InvariantCulture)}  "
                    + $"{Output.Count(node.Agents, "agent", "agents")}, {string.Join('+', node.Roles).ToLowerInvariant()}"
                    + (Math.Abs(node.SkewMs) > 1000 ? $", its clock is {node.SkewMs / 1000.0:0.0} s off" : ""));
            output.Json(json => Write(json, nodes));
            return ExitCodes.Done;
        });
        return command;
    }

    static void Write(Utf8JsonWriter json, IReadOnlyList<Node> nodes)
    {
        json.WriteStartArray();
        foreach (var node in nodes)
        {
            json.WriteStartObject();
            json.WriteString("message_type", "node");
            json.WriteString("name", node.Name);
            json.WriteString("state", node.State.ToString());
            json.WriteString("version", node.Version);
            json.WriteString("started_at", node.StartedAt);
            json.WriteString("last_seen_at", node.LastSeenAt);
            json.WriteNumber("agents", node.Agents);
            json.WriteNumber("loops", node.Loops);
            json.WriteNumber("skew_ms", node.SkewMs);
            json.WriteString("agents_url", node.AgentsUrl);
            json.WriteString("console_url", node.ConsoleUrl);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    Command Drain()
    {
        var name = new Argument<string>("NAME") { Description = "The node's name." };
        var undo = new Option<bool>("--undo") { Description = "Let it take work again." };
        var wait = new Option<bool>("--wait") { Description = "Return once it holds nothing more." };
        var command = _node.On(new Command("drain", "Give a node no new work, so that it can be stopped without anybody noticing.")
        {
            name, undo, wait,
        });
        command.SetAction(async (given, ct) =>
        {
            using var api = _node.Open(given);
            var (node, isUndo) = (given.GetValue(name)!, given.GetValue(undo));
            await api.DrainNode(new DrainNodeRequest(node, isUndo), ct);
            while (given.GetValue(wait) && !isUndo && (await api.Nodes(ct)).Any(one => one.Name == node
                && one.State is NodeState.Online or NodeState.Draining))
                await Task.Delay(TimeSpan.FromSeconds(1), TimeProvider.System, ct);
            Console.WriteLine(isUndo ? $"{node} takes work again." : $"{node} takes no new work; when 'backupdr node list' says Drained, "
                + "stop its service.");
            return ExitCodes.Done;
        });
        return command;
    }

    Command Remove()
    {
        var name = new Argument<string>("NAME") { Description = "The node's name." };
        var command = _node.On(new Command("remove", "Forget a node that does not run any more, so that agents do not look for it.")
        {
            name,
        });
        command.SetAction(async (given, ct) =>
        {
            using var api = _node.Open(given);
            await api.RemoveNode(given.GetValue(name)!, ct);
            Console.WriteLine($"{given.GetValue(name)} is forgotten.");
            return ExitCodes.Done;
        });
        return command;
    }
}
