using System.Globalization;
using System.Text;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Storage.Posix;

namespace BackupDr.Cli.Up;

/// <summary>Everything that <c>up</c> keeps, in one folder: the folder itself can be traversed by the database's user, what lies in it is
/// private.</summary>
sealed class DataFolder
{
    const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    const UnixFileMode Traversable = Private | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
    const int DefaultPort = 8420;

    DataFolder(string root) => Root = root;

    /// <summary>Where it is unless told otherwise.</summary>
    public static string Default => Environment.IsPrivilegedProcess ? "/var/lib/backupdr"
        : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.Create),
            "backupdr");

    public string Root { get; }
    public string LockFile => Path.Combine(Root, "up.lock");
    public string SettingsFile => Path.Combine(Root, "appsettings.json");
    public string Database => Path.Combine(Root, "pg");
    public string Logs => Path.Combine(Root, "log");
    public string Secrets => Path.Combine(Root, "secrets");
    public string Agent => Path.Combine(Root, "agent");
    public string Repositories => Path.Combine(Root, "repositories");
    public string ApiKeyFile => Path.Combine(Secrets, "api-key");
    public string DatabasePasswordFile => Path.Combine(Secrets, "database-password");
    public string OneTimePasswordFile => Path.Combine(Secrets, "one-time-password");
    public string EvidenceFile => Path.Combine(Root, "evidence.jsonl");
    public string RepositoryPasswordFile => Path.Combine(Secrets, "repository-password");

    /// <summary>Makes the folder with its children and modes.</summary>
    /// <exception cref="BadInputException">It cannot be made or entered.</exception>
    public static DataFolder Open(string root)
    {
        var folder = new DataFolder(root);
        try
        {
            Directory.CreateDirectory(root, Traversable);
            File.SetUnixFileMode(root, Traversable);
            foreach (var child in (string[])[folder.Logs, folder.Secrets, folder.Agent,
                folder.Repositories]) Directory.CreateDirectory(child, Private);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException("data", $"The data folder {root} cannot be used: {e.Message}",
                "Check its rights and free space, or name another one with --data.");
        }
        return folder;
    }

    /// <summary>A secret kept in a file of mode 0600; made at the first call.</summary>
    public static Secret SecretIn(string file)
    {
        if (!File.Exists(file)) WritePrivate(file, Secret.Random(24).Reveal() + "\n");
        return Secret.FromText(File.ReadAllText(file).Trim());
    }

    /// <summary>Writes a file of mode 0600 as a whole.</summary>
    /// <exception cref="PosixException">For example: no space left.</exception>
    public static void WritePrivate(string file, string text)
    {
        var temporary = file + ".tmp";
        File.Delete(temporary);
        using (var opened = Descriptor.Open(FilePath.FromText(temporary), OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive,
            0x180))
        {
            opened.WriteAt(0, Encoding.UTF8.GetBytes(text));
            opened.Sync();
        }
        File.Move(temporary, file, overwrite: true);
    }

    /// <summary>The console's port of the last start, or the default.</summary>
    public int LastPort()
    {
        if (!File.Exists(SettingsFile)) return DefaultPort;
        try
        {
            using var settings = JsonDocument.Parse(File.ReadAllBytes(SettingsFile));
            return new Uri(settings.RootElement.GetProperty("Console").GetProperty("Url").GetString()!).Port;
        }
        // written anew below
        catch (Exception e) when (e is JsonException or KeyNotFoundException or UriFormatException
            or ArgumentNullException)
        { return DefaultPort; }
    }

    /// <summary>Writes the node's settings.</summary>
    public void WriteSettings(string connectionString, int port)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true }))
        {
            json.WriteStartObject();
            Section(json, "Database", ("ConnectionString", connectionString));
            Section(json, "Console", ("Url", string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}")));
            Section(json, "Agents", ("Url", string.Create(CultureInfo.InvariantCulture, $"https://0.0.0.0:{port + 1}")));
            Section(json, "Secrets", ("KeyFile", Path.Combine(Secrets, "sealing.key")));
            Section(json, "Bootstrap", ("ApiKeyFile", ApiKeyFile));
            json.WriteEndObject();
        }
        WritePrivate(SettingsFile, Encoding.UTF8.GetString(buffer.ToArray()) + "\n");
    }

    static void Section(Utf8JsonWriter json, string name, params ReadOnlySpan<(string Key, string Value)> members)
    {
        json.WriteStartObject(name);
        foreach (var (key, value) in members) json.WriteString(key, value);
        json.WriteEndObject();
    }
}
