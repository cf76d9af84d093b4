using System.Globalization;
using System.Security.Cryptography;
using BackupDr.Contracts.Specs;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;

namespace BackupDr.SystemTests;

/// <summary>Steps that lead the shop of a site to another one, whatever brought the data there.</summary>
static class ShopRunbook
{
    /// <summary>A step without what its kind needs.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="needs">The steps before it, with spaces between.</param>
    /// <param name="kind">What it does.</param>
    /// <param name="seconds">Its longest time.</param>
    public static StepSpec Step(string name, string needs, StepKind kind, double seconds = 180) => new()
    {
        Name = name,
        Needs = needs.Split(' ', StringSplitOptions.RemoveEmptyEntries),
        Kind = kind,
        Timeout = TimeSpan.FromSeconds(seconds),
    };

    /// <summary>The database server of a site, as its own host reaches it.</summary>
    public static PostgreSqlSpec ClusterOf(ShopSite site)
        => new() { Host = site.Database.Sockets, Port = site.Database.Port, User = "postgres" };

    /// <summary>Looks at the data, starts the application, switches balancer and name, waits for an answer and tells people.</summary>
    /// <param name="data">The step after which the data is there.</param>
    /// <param name="site">The site that serves from then on; its host is named site-b.</param>
    /// <param name="programs">What its host may start.</param>
    /// <param name="balancer">Its balancer.</param>
    /// <param name="move">How the name is changed.</param>
    /// <param name="url">What is asked until it answers.</param>
    public static IReadOnlyList<StepSpec> Serve(string data, ShopSite site, ShopPrograms programs, HaproxyServer balancer, DnsSpec move,
        string url) =>
    [
        // The server lets sessions in before its recovery has ended.
        Step("newest", data, StepKind.DbAssert) with
        {
            InRehearsal = InRehearsal.Simulate,
            Retries = StepSpec.MostRetries,
            RetryAfter = TimeSpan.FromSeconds(1),
            Assert = new DatabaseStepSpec
            {
                Host = "site-b",
                Cluster = ClusterOf(site) with { User = "asserter" },
                Query = "select max(at) from orders where not pg_is_in_recovery()",
                MaxAge = TimeSpan.FromMinutes(10),
            },
        },
        Step("app", "newest", StepKind.Script) with
        {
            Script = new ScriptStepSpec { Host = "site-b", Run = programs.Named("start-shop"), Undo = programs.Named("stop-shop") },
        },
        Step("balancer", "app", StepKind.LbSwitch) with
        {
            Lb = new LbSpec
            {
                Address = balancer.Api,
                Servers = [new LbServer { Name = "be/s1", State = LbState.Maint }, new LbServer { Name = "be/s2", State = LbState.Ready }],
            },
        },
        Step("name", "app", StepKind.DnsChange) with { Dns = move },
        Step("healthy", "balancer name", StepKind.HealthWait) with
        {
            InRehearsal = InRehearsal.Skip,   // it asks what clients ask
            Health = new HealthSpec { Http = new HttpCallSpec { Url = url }, Every = TimeSpan.FromMilliseconds(100) },
        },
        Step("tell", "healthy", StepKind.Notify) with
        { Notify = new NotifySpec { Subject = "The shop is served from B" }, Impact = StepImpact.Optional },
    ];
}

/// <summary>What root of a site allows runbooks there: to start and stop its shop and its database server.</summary>
/// <param name="Folder">The folder of what is allowed.</param>
sealed record ShopPrograms(string Folder)
{
    /// <summary>Writes it. The programs are the same at every site; the words that they start differ.</summary>
    /// <param name="service">Whose folders hold it: NAME.steps, and NAME.bin with what stands for the service manager.</param>
    /// <param name="name">The host.</param>
    /// <param name="site">Its site.</param>
    /// <param name="more">Further programs: name and text.</param>
    public static ShopPrograms Allow(Service service, string name, ShopSite site, params (string Name, string Text)[] more)
    {
        var (folder, server) = (service.Folder($"{name}.steps"), site.Database);
        var address = string.Create(CultureInfo.InvariantCulture, $"{server.Sockets}:{server.Port}");
        (string Name, string Text)[] files =
        [
            ("words", string.Join(' ', site.StartWords) + "\n"),
            ("start-shop", "#!/bin/bash\nread -ra words < \"${0%/*}/words\"\nsetsid \"${words[@]}\" </dev/null >/dev/null 2>&1 &\n"),
            ("stop-shop", """
                #!/bin/bash
                read -r words < "${0%/*}/words"
                for process in /proc/[0-9]*; do
                    [ "$(tr '\0' ' ' < "$process/cmdline")" = "$words " ] && kill -TERM "${process#/proc/}"
                done 2>/dev/null
                exit 0

                """),
            ("databases", address + "\n"), ("standbys", $"{address} {server.Data} database.service\n"), ("services", "database.service\n"),
            .. more,
        ];
        foreach (var (file, text) in files) File.WriteAllText(Path.Combine(folder, file), text);
        // Stands for the service manager: the one service is the site's database server, which it starts at its own address.
        var manager = Path.Combine(service.Folder($"{name}.bin"), "systemctl");
        File.WriteAllText(manager, $"""
            #!/bin/sh
            verb=$1
            [ "$verb" = is-active ] && verb=status
            exec setpriv --reuid=postgres --regid=postgres --init-groups -- {server.Programs}/pg_ctl -D {server.Data} -w -m fast \
                -l {server.Folder}/log -o "-p {server.Port} -k {server.Sockets} -c listen_addresses={site.Address}" "$verb"

            """);
        Tool.Succeed("chmod", "-R", "755", folder, manager);
        return new ShopPrograms(folder);
    }

    /// <summary>One of them, as a step names it.</summary>
    public ProgramSpec Named(string name, params string[] arguments) => new()
    {
        Name = name,
        Arguments = arguments,
        Sha256 = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(Path.Combine(Folder, name)))),
    };
}
