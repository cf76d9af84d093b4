using BackupDr.Contracts;
using BackupDr.Contracts.Specs;

namespace BackupDr.Web.Policies;

/// <summary>What the policy form says of a MariaDB server: text, until it is read. Everything has a default.</summary>
public sealed class MariaDbDraft
{
    public string? Folder { get; set; }
    public string? Host { get; set; }
    public string? Port { get; set; }
    public string? User { get; set; }
    public string? PasswordFile { get; set; }
    public string? OptionFile { get; set; }

    /// <summary>The same as a source.</summary>
    /// <exception cref="BadInputException">A field cannot be read; the field is named.</exception>
    public MariaDbSpec Spec() => new()
    {
        DataFolder = PolicyDraft.PathOf(Folder),
        Host = string.IsNullOrWhiteSpace(Host) ? null : Host.Trim(),
        Port = string.IsNullOrWhiteSpace(Port) ? null : PolicyDraft.Number("myPort", Port.Trim()),
        User = string.IsNullOrWhiteSpace(User) ? "backupdr" : User.Trim(),
        PasswordFile = PolicyDraft.PathOf(PasswordFile),
        OptionFile = PolicyDraft.PathOf(OptionFile),
    };
}
