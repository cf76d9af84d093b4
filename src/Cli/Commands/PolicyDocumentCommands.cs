using System.CommandLine;
using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Specs;

namespace BackupDr.Cli.Commands;

/// <summary><c>backupdr policy list|show|export|new|versions|restore-version</c>: policies of a node.</summary>
static class PolicyDocumentCommands
{
    public static IEnumerable<Command> All() => [List(), Show(), Export(), New(), Versions(), Restore()];

    static Option<bool> Json() => new("--json") { Description = "Print JSON." };

    static Argument<string> Name() => new("POLICY") { Description = "Name or id of a policy." };

    static Policy Find(IReadOnlyList<Policy> policies, string name)
        => policies.FirstOrDefault(policy => policy.Id.ToString() == name) ?? policies.FirstOrDefault(policy => policy.Name == name)
            ?? policies.FirstOrDefault(policy => string.Equals(policy.Name, name, StringComparison.OrdinalIgnoreCase))
            ?? throw new BadInputException("policy", $"There is no policy '{name}'.", "'backupdr policy list' names them.");

    static Command List()
    {
        var (json, node) = (Json(), new NodeArguments());
        var command = node.On(new Command("list", "List policies.") { json });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var output = new Output(given.GetValue(json), quiet: false);
            foreach (var policy in await api.Policies(ct))
            {
                output.Line($"{policy.Name}  version {policy.Version}  {Output.Count(policy.Items.Count, "item")}"
                    + (policy.Assign is { Rules.Count: > 0 and var rules } ? $"  {Output.Count(rules, "rule")}" : "")
                    + (policy.PausedAt is null ? "" : "  paused"));
                output.Json(writer => System.Text.Json.JsonSerializer.Serialize(writer, policy, WireJson.Default.Policy));
            }
            return ExitCodes.Done;
        });
        return command;
    }

    static Command Show()
    {
        var (name, node, json) = (Name(), new NodeArguments(), Json());
        var yaml = new Option<bool>("--yaml") { Description = "As a document for 'backupdr apply'; what is printed without --json too." };
        var command = node.On(new Command("show", "Print a policy as a document.") { name, yaml, json });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var policy = Find(await api.Policies(ct), given.GetValue(name)!);
            var output = new Output(given.GetValue(json) && !given.GetValue(yaml), quiet: false);
            if (output.IsJson) output.Json(writer => System.Text.Json.JsonSerializer.Serialize(writer, policy, WireJson.Default.Policy));
            else Console.Out.Write((await api.PolicyDocument(policy.Id, ct)).Yaml);
            return ExitCodes.Done;
        });
        return command;
    }

    static Command Export()
    {
        var into = new Argument<string>("DIR") { Description = "Folder; a file for each policy, NAME.yaml." };
        var node = new NodeArguments();
        var command = node.On(new Command("export", "Write all policies as documents into a folder.") { into });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var folder = given.GetValue(into)!;
            var taken = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
            foreach (var policy in await api.Policies(ct))
            {
                var file = FileName(policy.Name, taken);
                try
                {
                    Directory.CreateDirectory(folder);
                    await File.WriteAllTextAsync(Path.Combine(folder, file), (await api.PolicyDocument(policy.Id, ct)).Yaml, ct);
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException)
                {
                    throw new BadInputException("dir", $"{Path.Combine(folder, file)} cannot be written: {e.Message}",
                        "Name another folder.");
                }
                Console.Out.WriteLine(Path.Combine(folder, file));
            }
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>Letters and digits of the name, and a number where another policy's name has the same.</summary>
    static string FileName(string name, HashSet<string> taken)
    {
        var plain = string.Concat(name.ToLowerInvariant().Select(one => char.IsAsciiLetterOrDigit(one) ? one : '-')).Trim('-');
        var stem = plain.Length == 0 ? "policy" : plain;
        for (var number = 1; ; number++)
            if ((number == 1 ? $"{stem}.yaml" : $"{stem}-{number}.yaml") is var file && taken.Add(file)) return file;
    }

    static Command New()
    {
        var name = new Argument<string>("NAME") { Description = "What people will call it." };
        var template = new Option<string>("--template")
        {
            Description = $"What it begins with: {string.Join(", ", PolicyTemplate.All.Select(one => one.Name))}.",
            DefaultValueFactory = _ => PolicyTemplate.Standard.Name,
        };
        var host = new Option<string>("--host") { Description = "Name or id of the host.", Required = true };
        var paths = new Option<string[]>("--path") { Description = "Folder or file to protect. May be repeated.", Required = true };
        var print = new Option<bool>("--print") { Description = "Print the document and make nothing." };
        var (json, node) = (Json(), new NodeArguments());
        var command = node.On(new Command("new", "Make a policy for folders of a host from a template.")
        {
            name, template, host, paths, print, json,
        });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var source = new SourceSpec { Files = new FilesSpec { Paths = [.. given.GetValue(paths)!.Select(FilePath.FromText)] } };
            var yaml = (await api.WriteDocument(new PolicyDocument
            {
                ApiVersion = PolicyDocument.TheVersion,
                Kind = PolicyDocument.TheKind,
                Name = given.GetValue(name)!,
                Items = [new NewItem(HostCommand.Find(await api.Hosts(ct), given.GetValue(host)!).Id, source)],
                Spec = Template(given.GetValue(template)!).Spec,
            }, ct)).Yaml;
            if (given.GetValue(print)) Console.Out.Write(yaml);
            else
            {
                if ((await api.Policies(ct)).Any(policy => policy.Name == given.GetValue(name)!.Trim()))
                    throw new BadInputException("name", $"There is a policy '{given.GetValue(name)}' already.", "Choose another name.");
                var made = (await api.Apply(new ApplyPoliciesRequest { Files = [new DocumentFile("-", yaml)] }, ct)).Policies[0];
                var output = new Output(given.GetValue(json), quiet: false);
                output.Line($"{made.Name}: created as {made.Id}; its first backup begins.");
                output.Json(writer => System.Text.Json.JsonSerializer.Serialize(writer, made, WireJson.Default.AppliedPolicy));
            }
            return ExitCodes.Done;
        });
        return command;
    }

    /// <summary>The template of a name.</summary>
    /// <exception cref="BadInputException">There is none.</exception>
    public static PolicyTemplate Template(string name) => PolicyTemplate.Find(name) ?? throw new BadInputException("template",
        $"There is no template '{name}'.", $"Of {string.Join(", ", PolicyTemplate.All.Select(one => one.Name))}.");

    static Command Versions()
    {
        var (name, json, node) = (Name(), Json(), new NodeArguments());
        var command = node.On(new Command("versions", "List what a policy was, who changed it when, and what.") { name, json });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var output = new Output(given.GetValue(json), quiet: false);
            foreach (var version in await api.PolicyVersions(Find(await api.Policies(ct), given.GetValue(name)!).Id, ct))
            {
                output.Line(string.Create(CultureInfo.InvariantCulture,
                    $"{version.Version,4}  {version.At.UtcDateTime:yyyy-MM-dd HH:mm}  {version.By}  "
                        + $"{version.Origin}{(version.Remark is null ? ""
                        : $"  {version.Remark}")}"));
                foreach (var change in version.Changes) output.Line("        " + ApplyCommand.Words(change));
                output.Json(writer => System.Text.Json.JsonSerializer.Serialize(writer, version, WireJson.Default.PolicyVersion));
            }
            return ExitCodes.Done;
        });
        return command;
    }

    static Command Restore()
    {
        var (name, node) = (Name(), new NodeArguments());
        var version = new Argument<int>("VERSION") { Description = "Its number, as 'policy versions' lists it." };
        var lose = new Option<string?>("--lose-points") { Description = "The policy's name, where recovery points may go by it." };
        var command = node.On(new Command("restore-version", "Make a policy be what it was. Its items stay as they are.")
        {
            name, version, lose,
        });
        command.SetAction(async (given, ct) =>
        {
            using var api = node.Open(given);
            var policy = Find(await api.Policies(ct), given.GetValue(name)!);
            var now = await api.RestorePolicyVersion(new RestorePolicyVersionRequest(policy.Id, given.GetValue(version),
                given.GetValue(lose), policy.Version), ct);
            Console.Out.WriteLine($"{now.Name} is as in version {given.GetValue(version)} again; that is version {now.Version}.");
            return ExitCodes.Done;
        });
        return command;
    }
}
