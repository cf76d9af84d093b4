using System.Globalization;
using System.Text;
using BackupDr.Contracts;

namespace BackupDr.Sources.MariaDb;

/// <summary>How to reach a MariaDB server.</summary>
public sealed record MariaDbAddress
{
    /// <summary>Absolute path of its socket, or a host name or address. Default: Debian's socket.</summary>
    public string Host { get; init; } = "/run/mysqld/mysqld.sock";
    /// <summary>Port; not used with a socket.</summary>
    public int Port { get; init; } = 3306;
    /// <summary>User.</summary>
    public string User { get; init; } = "backupdr";
    /// <summary>Password; null where the server knows the user by the operating system's.</summary>
    public Secret? Password { get; init; }
    /// <summary>Absolute path of an option file whose section [client] tells user and password; those here are not used then. Null for
    /// none.</summary>
    public string? OptionFile { get; init; }
    /// <summary>Folder of the server's programs; null for the usual ones.</summary>
    public string? Programs { get; init; }

    internal bool IsSocket => Host.StartsWith('/');

    /// <inheritdoc/>
    public override string ToString()
        => $"{(OptionFile is null ? User : $"the user of {OptionFile}")}@{Host}{(IsSocket ? "" : $":{Port}")}";
}

/// <summary>The file that tells the server's programs where it is and who we are: mode 0600, in a folder of mode 0700, gone afterwards.
/// </summary>
/// <remarks>Arguments and environment of a process can be read by others; this cannot.</remarks>
sealed class OptionFile : IDisposable
{
    readonly Scratch _folder;

    /// <param name="address">The server.</param>
    /// <param name="more">Lines behind: "[mysqldump]", "max-allowed-packet=1G".</param>
    /// <exception cref="BadInputException">User or password hold a line break, which no option file can.</exception>
    public OptionFile(MariaDbAddress address, params IEnumerable<string> more)
    {
        var text = new StringBuilder();
        if (address.OptionFile is { } given) text.Append(CultureInfo.InvariantCulture, $"!include {Plain(given, "option file")}\n");
        text.Append("[client]\n");
        if (address.OptionFile is null) text.Append(CultureInfo.InvariantCulture, $"user={Quoted(address.User, "user")}\n");
        if (address is { OptionFile: null, Password: { } password }) text.Append(CultureInfo.InvariantCulture,
            $"password={Quoted(password.Reveal(), "password")}\n");
        if (address.IsSocket) text.Append(CultureInfo.InvariantCulture, $"socket={Quoted(address.Host, "host")}\nprotocol=socket\n");
        else text.Append(CultureInfo.InvariantCulture, $"host={Quoted(address.Host, "host")}\nport={address.Port}\nprotocol=tcp\n");
        foreach (var line in more) text.Append(line).Append('\n');
        _folder = Scratch.Make(System.IO.Path.TrimEndingDirectorySeparator(System.IO.Path.GetTempPath()));
        Path = System.IO.Path.Combine(_folder.Path, "client.cnf");
        Disk.Write(Path, Encoding.UTF8.GetBytes(text.ToString()), isDurable: false);
    }

    /// <summary>Absolute path.</summary>
    public string Path { get; }

    /// <summary>The first argument of a program that is to read nothing but this.</summary>
    public string Argument => $"--defaults-file={Path}";

    static string Quoted(string text, string what) => $"\"{Plain(text, what).Replace("\\", "\\\\", StringComparison.Ordinal)}\"";

    static string Plain(string text, string what) => text.AsSpan().IndexOfAny('\n', '\r', '\0') < 0 ? text
        : throw new BadInputException(what, $"The {what} for MariaDB holds a line break.", "Choose one without.");

    public void Dispose() => _folder.Dispose();
}
