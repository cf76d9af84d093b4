using System.Globalization;
using System.Security.Cryptography;
using BackupDr.Contracts.Specs;
using Xunit;

namespace BackupDr.TestKit.Servers;

/// <summary>A real name server (BIND 9) on loopback with a folder of its own: primary of "example.test", which takes updates signed with
/// <see cref="Key"/>. About 0.2 seconds and 35 MiB.</summary>
public sealed class BindServer : IAsyncDisposable
{
    SiteNetwork.Site? _site;
    string _app = "127.0.0.1";

    /// <summary>One at a site instead of on loopback; not started.</summary>
    /// <param name="site">Where it works.</param>
    /// <param name="app">What "app" says at the beginning.</param>
    public static BindServer At(SiteNetwork.Site site, string app) => new() { _site = site, _app = app };

    /// <summary>The zone.</summary>
    public const string Zone = "example.test";

    /// <summary>Name of the key that may change the zone.</summary>
    public const string KeyName = "ddns";

    static readonly TimeSpan Patience = TimeSpan.FromMinutes(2), LookEvery = TimeSpan.FromMilliseconds(50);

    readonly ScratchFolder _folder = new();
    GuardedProcess? _named;

    /// <summary>Its port, TCP and UDP.</summary>
    public int Port { get; } = FreePorts.Find();

    string Host => _site?.Address ?? "127.0.0.1";

    /// <summary>Its address and port: "127.0.0.1:port".</summary>
    public string Address => string.Create(CultureInfo.InvariantCulture, $"{Host}:{Port}");

    /// <summary>The key in base64.</summary>
    public string Key { get; } = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));

    /// <summary>Another key that the server knows, and that may change nothing.</summary>
    public string OtherKey { get; } = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));

    /// <summary>Whether it was started.</summary>
    public bool IsRunning => _named is not null;

    /// <summary>Starts it. Skips the test where its packages are not installed.</summary>
    public async Task Start()
    {
        if (!File.Exists("/usr/sbin/named")) Tool.Need("named", "bind9");
        Tool.Need("dig", "bind9-dnsutils");
        Tool.Need("nsupdate", "bind9-dnsutils");
        _folder.File("key", KeyText(KeyName, Key));
        _folder.File("other.key", KeyText("other", OtherKey));
        _folder.File("zone", $"""
            $TTL 5
            @ IN SOA ns.{Zone}. root.{Zone}. 1 60 30 600 5
            @ IN NS ns.{Zone}.
            ns IN A 127.0.0.1
            app IN A {_app}
            two IN A 192.0.2.1
            two IN A 192.0.2.2
            www IN CNAME app.{Zone}.
            note IN TXT "a \"b\"" "c"

            """);
        _folder.File("named.conf", $$"""
            include "{{_folder.At("key")}}";
            include "{{_folder.At("other.key")}}";
            options { directory "{{_folder.Path}}"; listen-on port {{Port}} { {{Host}}; }; listen-on-v6 { none; };
                pid-file "{{_folder.At("pid")}}"; session-keyfile "{{_folder.At("session")}}"; recursion no; dnssec-validation no;
                empty-zones-enable no; allow-query { any; }; };
            controls { };
            zone "{{Zone}}" { type primary; file "{{_folder.At("zone")}}"; allow-update { key {{KeyName}}; }; };

            """);
        _named = new GuardedProcess(_folder.At("log"),
            [.. _site?.Words ?? [], "/usr/sbin/named", "-c", _folder.At("named.conf"), "-n", "1", "-g"]);
        using var late = new CancellationTokenSource(Patience);
        while (Dig("ns").Length == 0)
        {
            if (_named.HasEnded) Assert.Fail($"named ended: {_named.LastWords}");
            await Task.Delay(LookEvery, late.Token);
        }
    }

    static string KeyText(string name, string secret) => $"key \"{name}\" {{ algorithm hmac-sha256; secret \"{secret}\"; }};\n";

    /// <summary>A change of a name's only address.</summary>
    /// <param name="name">The name, without the zone.</param>
    /// <param name="secret">Name of the stored secret that is <see cref="Key"/>.</param>
    /// <param name="from">The address before.</param>
    /// <param name="to">The address after.</param>
    public DnsSpec Move(string name, string secret, string from, string to) => new()
    {
        Server = Address,
        Zone = Zone,
        Record = $"{name}.{Zone}",
        Key = KeyName,
        KeySecret = secret,
        From = [from],
        To = [to],
    };

    /// <summary>What the server says of a name of the zone, one value a line, in order; by dig, not by us.</summary>
    public string Dig(string name, string type = "A") => Ask($"{name}.{Zone}", type);

    /// <summary>The number that each change of the zone raises by one.</summary>
    public long Serial => long.Parse(Ask(Zone, "SOA").Split(' ')[2], CultureInfo.InvariantCulture);

    string Ask(string name, string type)
    {
        var result = Tool.Run("dig", ["+short", "+time=2", "+tries=1", "+tcp", $"@{Host}", "-p",
            Port.ToString(CultureInfo.InvariantCulture), name, type]);
        return string.Join('\n', result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Where(line => !line.StartsWith(';')).Order(StringComparer.Ordinal));
    }

    /// <summary>Changes the zone as somebody else would: lines of nsupdate.</summary>
    public void Update(params IEnumerable<string> lines)
    {
        string[] all = [$"server {Host} {Port}", $"zone {Zone}", .. lines, "send", ""];
        var script = _folder.File("update", string.Join('\n', all));
        Tool.Succeed("nsupdate", "-k", _folder.At("key"), script);
    }

    /// <summary>Ends it.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_named is not null) await _named.DisposeAsync();
        _folder.Dispose();
    }
}
