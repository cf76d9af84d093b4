namespace BackupDr.TestKit.Servers;

/// <summary>The settings of a Ceph cluster that holds nothing worth keeping and starts in seconds.</summary>
static class CephSettings
{
    /// <param name="folder">Everything it writes.</param>
    /// <param name="cluster">The cluster's id.</param>
    /// <param name="address">Where it listens.</param>
    /// <param name="port">The gateway's; the monitor has the next, the store eight more.</param>
    public static string Text(string folder, string cluster, string address, int port) => $"""
        [global]
        fsid = {cluster}
        mon_host = [v2:{address}:{port + 1}/0]
        mon_initial_members = a
        auth_cluster_required = none
        auth_service_required = none
        auth_client_required = none
        # The gateway wants a sealed connection to the monitor, which needs keys; without keys it waits for ever.
        ms_mon_client_mode = crc
        ms_bind_msgr1 = false
        ms_bind_msgr2 = true
        ms_bind_ipv6 = false
        public_addr = {address}
        cluster_addr = {address}
        ms_bind_port_min = {port + 2}
        ms_bind_port_max = {port + 9}
        run_dir = {folder}/run
        admin_socket = {folder}/run/$name.asok
        pid_file = {folder}/run/$name.pid
        log_file = {folder}/log/$name.log
        mon_cluster_log_file = {folder}/log/cluster.log
        crash_dir = {folder}/crash
        keyring = {folder}/keyring
        log_to_stderr = false
        err_to_stderr = true
        debug_ms = 0/0
        debug_osd = 0/0
        debug_rgw = 0/0
        debug_objclass = 0/0
        debug_objecter = 0/0
        debug_monc = 0/0
        osd_pool_default_size = 1
        osd_pool_default_min_size = 1
        osd_pool_default_pg_num = 1
        osd_pool_default_pgp_num = 1
        osd_pool_default_pg_autoscale_mode = off
        rgw_rados_pool_pg_num_min = 1
        osd_crush_chooseleaf_type = 0
        mon_allow_pool_size_one = true
        mon_max_pg_per_osd = 1000
        [mon]
        mon_data = {folder}/mon
        mon_data_avail_crit = 1
        mon_data_avail_warn = 2
        # There is nobody to agree with: commit at once.
        paxos_propose_interval = 0.05
        paxos_min_wait = 0.01
        mon_osd_reporter_subtree_level = osd
        mon_osd_full_ratio = 0.97
        mon_osd_nearfull_ratio = 0.95
        mon_osd_backfillfull_ratio = 0.96
        [osd]
        osd_data = {folder}/osd
        osd_objectstore = memstore
        memstore_device_bytes = 4294967296
        osd_enable_op_tracker = false
        osd_op_num_shards = 2
        osd_op_num_threads_per_shard = 1
        osd_max_object_name_len = 460
        osd_max_object_namespace_len = 64
        osd_heartbeat_grace = 60
        # A killed gateway counts as watching for this long, and the next bucket waits for it.
        osd_client_watch_timeout = 3
        [client.rgw]
        rgw_data = {folder}/rgw
        rgw_frontends = beast endpoint={address}:{port} tcp_nodelay=1
        rgw_thread_pool_size = 64
        rgw_enable_usage_log = false
        rgw_dns_name = localhost
        rgw_s3_auth_use_sts = true
        rgw_sts_key = abcdefghijklmnop
        rgw_lc_debug_interval = 5
        rgw_lc_lock_max_time = 10
        # One list of buckets that is looked through every five seconds, and not thirty-two by three threads: that alone took a twentieth of
        # a processor, as long as the tests ran.
        rgw_lc_max_objs = 1
        rgw_lc_max_worker = 1
        rgw_lc_max_wp_worker = 1
        rgw_gc_max_objs = 1
        rgw_run_sync_thread = false
        rgw_dynamic_resharding = false

        """;
}
