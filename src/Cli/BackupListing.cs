using BackupDr.Contracts;
using BackupDr.Engine.Backup;

namespace BackupDr.Cli;

/// <summary>Writes a line for each entry of a backup.</summary>
sealed class BackupListing(Output output) : IBackupListing
{
    readonly Lock _gate = new();

    public void Taken(FilePath path, ItemChange change, ulong sizeBytes)
    {
        // restic's words
        var action = change switch { ItemChange.New => "new", ItemChange.Changed => "modified", _ => "unchanged" };
        Write(action, path, $", {Output.Size((long)sizeBytes)}", "data_size", (long)sizeBytes, null);
    }

    public void LeftOut(FilePath path, string reason) => Write("excluded", path, $": {reason}", null, 0, reason);

    void Write(string action, FilePath path, string words, string? sizeName, long size, string? reason)
    {
        lock (_gate)
        {
            output.Line($"{action,-9} {path}{(path.Bytes[^1] == (byte)'/' ? "" : words)}");
            output.Json(json =>
            {
                json.WriteStartObject();
                json.WriteString("message_type", "verbose_status");
                json.WriteString("action", action);
                json.WriteString("item", path.ToString());
                if (sizeName is not null) json.WriteNumber(sizeName, size);
                if (reason is not null) json.WriteString("reason", reason);
                json.WriteEndObject();
            });
        }
    }
}
