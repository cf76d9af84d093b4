using System.CommandLine;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Storage.Posix;

namespace BackupDr.Cli.Commands.Nodes;

/// <summary><c>backupdr node join</c>: fetches what all nodes share and writes this machine's settings.</summary>
static class NodeJoining
{
    const int FingerprintLength = 64, PrivateFile = 0x180;   // 0600
    const string DefaultSettings = "/etc/backupdr/appsettings.json", DefaultKeyFile = "/var/lib/backupdr/secrets/sealing.key";

    public static Command Make()
    {
        var url = new Argument<string>("URL") { Description = "Address of a node's agents' listener, as 'node add' printed it." };
        var name = new Option<string?>("--name") { Description = "This node's name; else the machine's." };
        var settings = new Option<string>("--settings") { Description = "File to write.", DefaultValueFactory = _ => DefaultSettings };
        var key = new Option<string>("--key-file") { Description = "Sealing key to write.", DefaultValueFactory = _ => DefaultKeyFile };
        var command = new Command("join", "Make this machine a node: fetch what all nodes share, with the token in BACKUPDR_JOIN_TOKEN, "
            + "and write settings and key.") { url, name, settings, key };
        command.SetAction((given, ct) => Join(given.GetValue(url)!, given.GetValue(name) ?? Environment.MachineName,
            Path.GetFullPath(given.GetValue(settings)!), Path.GetFullPath(given.GetValue(key)!), ct));
        return command;
    }

    static async Task<int> Join(string url, string name, string settings, string keyFile, CancellationToken ct)
    {
        if (!Uri.TryCreate(url, UriKind.Absolute, out var address) || address.Scheme != Uri.UriSchemeHttps)
            throw new BadInputException("URL", $"'{url}' is no address of the agents' listener.", "Copy it from what 'node add' printed.");
        var token = Environment.GetEnvironmentVariable("BACKUPDR_JOIN_TOKEN") ?? "";
        if (!token.StartsWith("bdn1_", StringComparison.Ordinal) || token.Length - token.LastIndexOf('_') - 1 != FingerprintLength)
            throw new BadInputException("BACKUPDR_JOIN_TOKEN", "There is no node's token in BACKUPDR_JOIN_TOKEN.",
                "Copy the whole command that 'backupdr node add' printed.");
        // Looked at before the token is used up.
        foreach (var file in (string[])[settings, keyFile])
            if (File.Exists(file)) throw new ConflictException("node.joined", $"{file} exists: this machine is a node already.",
                "Remove it if that node is gone, or give other files with --settings and --key-file.");
        using var client = await AgentApiClient.Joining(address, token[^FingerprintLength..], ct);
        var answer = await client.JoinNode(new JoinNodeRequest(token, name), ct);
        Write(keyFile, Convert.FromBase64String(answer.SealingKey));
        Write(settings, Settings(answer, name, keyFile));
        Console.WriteLine($"Wrote {settings} and {keyFile}. Start the node: systemctl enable --now backupdr-node");
        return ExitCodes.Done;
    }

    static byte[] Settings(JoinNodeAnswer answer, string name, string keyFile)
    {
        using var text = new MemoryStream();
        using (var json = new Utf8JsonWriter(text, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            Section(json, "Database", ("ConnectionString", answer.ConnectionString));
            Section(json, "Console", ("Url", answer.ConsoleUrl), ("TrustedProxies", string.Join(",", answer.TrustedProxies)));
            Section(json, "Agents", ("Url", answer.AgentsUrl), ("PublicUrl", answer.AgentsPublicUrl));
            Section(json, "Secrets", ("KeyFile", keyFile));
            Section(json, "Node", ("Name", name));
            json.WriteEndObject();
        }
        return [.. text.ToArray(), (byte)'\n'];
    }

    static void Section(Utf8JsonWriter json, string name, params (string Key, string Value)[] values)
    {
        json.WriteStartObject(name);
        foreach (var (key, value) in values) json.WriteString(key, value);
        json.WriteEndObject();
    }

    static void Write(string path, byte[] bytes)
    {
        var folder = Path.GetDirectoryName(path)!;
        try { Directory.CreateDirectory(folder); }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException("--settings", $"The folder {folder} cannot be made: {e.Message}", "Run as root.");
        }
        using var file = Descriptor.Open(FilePath.FromText(path), OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive,
            PrivateFile);
        file.WriteAt(0, bytes);
        file.Sync();
    }
}
