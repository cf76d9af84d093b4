using System.Diagnostics;
using System.Globalization;
using BackupDr.Contracts;
using BackupDr.Contracts.Api;
using BackupDr.Contracts.Jobs;
using BackupDr.Contracts.Rules.Runbooks;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;

namespace BackupDr.SystemTests;

/// <summary>Two sites in networks of their own, and all that works there.</summary>
public sealed partial class SiteNetworkTests
{
    const string Password = "correct horse battery staple 9";
    static readonly CancellationToken NoStop = CancellationToken.None;

    /// <summary>Site A: a primary with its application behind a balancer, an agent, a region. Site B: the console with its database, an
    /// agent, a balancer, a name server, a region, and a place for a server. Clients look up the name and are in neither.</summary>
    sealed class Scene : IAsyncDisposable
    {
        readonly Stack<IAsyncDisposable> _all = new();
        readonly SiteNetwork _network = SiteNetwork.Start("a", "b");

        public SiteNetwork.Site A => _network["a"];
        public SiteNetwork.Site B => _network["b"];
        public required Service Service { get; set; }
        public ApiClient Api { get; private set; } = null!;
        public HttpClient Http { get; private set; } = null!;
        public ShopSite Old { get; private set; } = null!;
        public ShopSite New { get; private set; } = null!;
        public HaproxyServer Balancer { get; private set; } = null!;
        public BindServer Names { get; private set; } = null!;
        public SiteClient Client { get; private set; } = null!;

        /// <summary>How long the two persons took.</summary>
        public TimeSpan Answered { get; private set; }

        /// <summary>What the restore did; null where a standby was promoted.</summary>
        public RestoreResult? Restore { get; set; }

        /// <summary>What bringing the data to B took by the words of those who did it: the run of the restore, and the log of the
        /// server there.</summary>
        public IReadOnlyList<(string What, double Took)> DataParts()
        {
            double Between(string from, string to)
            {
                DateTimeOffset Last(string words) => DateTimeOffset.Parse(New.Database.Log.Split('\n')
                    .Last(line => line.Contains(words, StringComparison.Ordinal))[..23] + "Z", CultureInfo.InvariantCulture);
                return (Last(to) - Last(from)).TotalSeconds;
            }
            const string ready = "database system is ready to accept connections";
            return Restore is null ? [("the promotion", Between("received promote request", ready))]
                : [("the restore", Restore.Seconds), ("the server's recovery", Between("starting PostgreSQL", ready))];
        }

        /// <summary>Starts all of it, with orders coming in.</summary>
        public static async Task<Scene> Start(bool withStandby)
        {
            Mount.NeedRoot();
            Tool.Need("socat", "socat");
            var scene = new Scene { Service = null! };
            try
            {
                await scene.Begin(withStandby);
                return scene;
            }
            catch
            {
                await scene.DisposeAsync();
                throw;
            }
        }

        T Keep<T>(T one) where T : IAsyncDisposable
        {
            _all.Push(one);
            return one;
        }

        async Task Begin(bool withStandby)
        {
            Service = Keep(new Service { Within = B.Words });
            Lead();
            await Service.StartSmall();
            (Api, Http) = (Service.Api(), Service.Http());
            Names = Keep(BindServer.At(B, A.Address));
            await Names.Start();
            Old = Keep(await ShopSite.Primary(A));
            New = Keep(withStandby ? ShopSite.StandbyOf(Old, B) : ShopSite.Empty(B));
            var near = Keep(new HaproxyServer(A));
            Balancer = Keep(new HaproxyServer(B));
            await near.Start(End(Old), End(New));
            await Balancer.Start(End(Old), End(New));
            Client = Keep(new SiteClient(() => Names.Dig("app"), address => address == A.Address ? near.Front : Balancer.Front));
            await Service.Until(() => Task.FromResult(Client.Orders.Count > 20), "orders are taken");
            foreach (var (site, shop) in new[] { (A, Old), (B, New) }) await Join(site, shop);
            await Http.Put("step-secrets/ddns", new SaveStepSecretRequest { Name = "ddns", Value = Names.Key },
                WireJson.Default.SaveStepSecretRequest);
        }

        static string End(ShopSite site) => string.Create(CultureInfo.InvariantCulture, $"{site.Address}:{site.Port}");

        /// <summary>The console listens on its own machine's loopback only: whoever looks at it from here is led there.</summary>
        void Lead()
        {
            var (port, between) = (Service.Port, FreePorts.Find());
            Keep(new GuardedProcess(Service.At("there.log"), [.. B.Words, "socat", $"TCP-LISTEN:{between},bind={B.Address},fork,reuseaddr",
                $"TCP:127.0.0.1:{port}"]));
            Keep(new GuardedProcess(Service.At("here.log"), ["socat", $"TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr",
                $"TCP:{B.Address}:{between}"]));
        }

        /// <summary>A host with an agent of its own, and what root allows runbooks there.</summary>
        async Task Join(SiteNetwork.Site site, ShopSite shop)
        {
            var (name, program) = ($"site-{site.Name}", Path.Combine(Path.GetDirectoryName(PublishedProgram.Path)!, "backupdr-agent"));
            ShopPrograms.Allow(Service, name, shop, ("call", "#!/bin/bash\nexec 3<>\"/dev/tcp/$1/$2\" && echo reached\n"));
            var token = await Api.CreateJoinToken(new CreateJoinTokenRequest($"https://{B.Address}:{Service.Port + 1}"), NoStop);
            string[] join = [.. site.Words, program, "join", token.AgentsUrl, "--token", token.Token, "--state", Service.At(name),
                "--name", name];
            Tool.Succeed(join[0], join[1..]);
            Keep(new GuardedProcess(Service.At($"{name}.log"), [.. site.Words, program, "run", "--state", Service.At(name), "--hooks",
                "/nonexistent", "--steps", Service.At($"{name}.steps")], new Dictionary<string, string>
                { ["PATH"] = $"{Service.At($"{name}.bin")}:{Environment.GetEnvironmentVariable("PATH")}" }));
            await Online(name);
        }

        public Task Online(string name) => Service.Until(async () => (await Api.Hosts(NoStop)).Any(host => host.Name == name
            && host.State == HostState.Online), $"the host {name} is online");

        /// <summary>What the host of a site may start.</summary>
        public ShopPrograms Programs(string site) => new(Service.At($"site-{site}.steps"));

        /// <summary>Two persons say that the fence, which its silent host never answered, is so, and what they saw.</summary>
        public async Task Witness(ExecutionId execution, string step, string seen)
        {
            await Service.Until(async () => (await Api.Execution(execution, NoStop)).State.Phase == ExecutionPhase.Paused,
                "the silent host leaves the fence unproven");
            var begun = Stopwatch.GetTimestamp();
            foreach (var name in (string[])["anna", "bert"])
            {
                using var person = await SignIn(name);
                await person.Post($"api/v1/executions/{execution}/actions", new ActOnExecutionRequest(Action: ExecutionAction.ByHand,
                    Step: step, Text: seen), WireJson.Default.ActOnExecutionRequest, WireJson.Default.ExecutionView);
            }
            Answered = Stopwatch.GetElapsedTime(begun);
        }

        async Task<HttpClient> SignIn(string name)
        {
            var made = await Api.CreateUser(new CreateUserRequest(name, "one-time-password"), NoStop);
            var person = new HttpClient { BaseAddress = Service.Console };
            person.DefaultRequestHeaders.Add("X-BackupDr", "1");
            await person.Post("api/v1/session", new SignInRequest(name, made.OneTimePassword!), WireJson.Default.SignInRequest);
            await person.Post("api/v1/me/password", new ChangePasswordRequest(made.OneTimePassword!, Password),
                WireJson.Default.ChangePasswordRequest);
            return person;
        }

        public async Task<ExecutionView> Ended(ExecutionId id)
        {
            ExecutionView? view = null;
            await Service.Until(async () => (view = await Api.Execution(id, NoStop)).State.Phase is ExecutionPhase.Ended
                or ExecutionPhase.Paused, "the execution ends");
            return view!;
        }

        public async Task<S3Server> Region(SiteNetwork.Site site)
        {
            var server = Keep(new S3Server { Site = site });
            await server.Start();
            return server;
        }

        public async ValueTask DisposeAsync()
        {
            Api?.Dispose();
            Http?.Dispose();
            while (_all.TryPop(out var one)) await one.DisposeAsync();
            _network.Dispose();
        }
    }
}
